//! The dataset that comes with the program.

use std::path::Path;

use super::load::Loading;
use super::read::{Format, Limits};
use super::{Dataset, LoadErrors};

macro_rules! files {
    ($($path:literal,)*) => {
        &[$(($path, include_str!(concat!("../../datasets/email/", $path)))),*]
    };
}

/// The files of `datasets/email/`, in the order in which the folder is read.
pub(super) const FILES: &[(&str, &str)] = files![
    "dev/attacks.yaml",
    "dev/bulk.yaml",
    "dev/calendar.yaml",
    "dev/colleagues.yaml",
    "dev/customers.yaml",
    "dev/notices.yaml",
    "dev/personal.yaml",
    "test/attacks.yaml",
    "test/bulk.yaml",
    "test/calendar.yaml",
    "test/colleagues.yaml",
    "test/customers.yaml",
    "test/notices.yaml",
    "test/personal.yaml",
    "test/recruiting.yaml",
    "test/school.yaml",
    "test/vendors.yaml",
];

impl Dataset {
    /// The dataset `email`, as it was when the program was built.
    pub fn embedded() -> Dataset {
        load(FILES).expect("a test loads the embedded files")
    }
}

fn load(files: &[(&str, &str)]) -> Result<Dataset, LoadErrors> {
    let limits = Limits::default();
    let mut loading = Loading::new(&limits);
    for (path, text) in files {
        loading.read(Path::new(path), Format::Yaml, text.as_bytes());
    }
    loading.finish("email".to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/email")
    }

    #[test]
    fn the_embedded_files_are_valid() {
        if let Err(errors) = load(FILES) {
            panic!("{errors}");
        }
    }

    #[test]
    fn the_embedded_dataset_is_the_folder() {
        let loaded = Dataset::load(&[folder()], &Limits::default()).expect("a valid folder");
        let embedded = Dataset::embedded();
        let ids = |dataset: &Dataset| -> Vec<String> {
            dataset.examples.iter().map(|e| e.id.clone()).collect()
        };
        assert_eq!(ids(&embedded), ids(&loaded));
        assert_eq!(embedded.hash, loaded.hash);
        assert_eq!(embedded.name, loaded.name);
    }
}
