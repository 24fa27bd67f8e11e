//! Parses the command line, runs the verb, and ends with its exit code.

/// Cases allocate on all threads at once. glibc's heaps for threads grow by a page and a system
/// call at a time, which takes a quarter of the time in which the first requests are sent.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    mailproof::cli::main()
}
