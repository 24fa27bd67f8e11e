//! `mailproof push otel`: attempts as spans, for a tool that shows traces.

#[cfg(feature = "otel")]
mod send;

#[cfg(feature = "otel")]
pub use send::run;

/// Stands in where the build has no OpenTelemetry.
#[cfg(not(feature = "otel"))]
pub fn run(
    _: &super::args::Talk,
    _: &super::args::OtelArgs,
) -> Result<super::exit::Exit, super::exit::Failure> {
    Err(super::exit::Failure::usage(
        "OpenTelemetry is not in this build; build with `cargo build --release --features otel`",
    ))
}
