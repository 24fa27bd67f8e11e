//! The recorded runs that the repository keeps: what a real model was asked and answered.
//!
//! Nothing is asked here. Replayed, a recording gives the report that stands beside it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Place, comparable, comparable_markdown, root};

/// The folders of `reports/recorded/`.
fn recordings() -> Vec<PathBuf> {
    let folder = root().join("reports/recorded");
    let mut found: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{}", folder.display());
    found
}

/// Replays a recording as its `mailproof.yaml` says, and returns what was reported.
fn replay(recording: &Path) -> (Value, String) {
    let place = Place::new();
    let config = recording.join("mailproof.yaml");
    let (config, folder) = (config.to_str().unwrap(), recording.to_str().unwrap());
    let replayed = ["run", "-q", "-c", config, "--replay", folder, "-e", "again"];
    place.run(&replayed, 0);
    let markdown = fs::read_to_string(place.path("reports/again/report.md")).unwrap();
    (place.report("again"), markdown)
}

#[test]
fn a_recorded_run_of_a_real_model_replays_to_its_report() {
    for recording in recordings() {
        let (mut report, markdown) = replay(&recording);
        let beside = |file: &str| recording.join(file);
        let kept = |file: &str| fs::read_to_string(beside(file)).unwrap();
        let json = |file: &str| -> Value { serde_json::from_str(&kept(file)).unwrap() };
        if std::env::var_os("UPDATE_SAMPLE").is_some() {
            // When and how it ran is told of the run itself, and not of this replay.
            let ran = json("report.json");
            for told in ["environment", "experiment"] {
                report[told] = ran[told].clone();
            }
            fs::write(beside("report.json"), format!("{report:#}\n")).unwrap();
            let ran = kept("report.md");
            let environment = ran.strip_prefix(comparable_markdown(&ran)).unwrap();
            let text = format!("{}{environment}", comparable_markdown(&markdown));
            fs::write(beside("report.md"), text).unwrap();
        }
        let help = format!(
            "{} does not replay to the report beside it: look, then UPDATE_SAMPLE=1 scripts/test recorded",
            recording.display()
        );
        let text = |report: Value| format!("{:#}", comparable(report));
        let (was, is) = (text(json("report.json")), text(report));
        let differing = was.lines().zip(is.lines()).find(|(was, is)| was != is);
        assert_eq!(differing, None, "{help}");
        assert_eq!(was.len(), is.len(), "{help}");
        let (was, is) = (kept("report.md"), markdown);
        assert_eq!(
            comparable_markdown(&was),
            comparable_markdown(&is),
            "{help}"
        );
    }
}

#[test]
fn a_recorded_run_holds_a_real_model_s_work_and_its_mistakes() {
    for recording in recordings() {
        let report = fs::read_to_string(recording.join("report.json")).unwrap();
        let report: Value = serde_json::from_str(&report).unwrap();
        let variants = report["variants"].as_array().unwrap();
        assert_eq!(variants.len(), 2);
        for variant in variants {
            assert_ne!(variant["model"], "rules");
            let counts = &variant["counts"];
            assert!(counts["examples"].as_u64().unwrap() >= 12, "{counts}");
            assert_eq!(counts["scored"], counts["attempts"]);
            // A small model, and as it was.
            assert!(counts["failed"].as_u64().unwrap() > 0, "{counts}");
        }
        let size: u64 = fs::read_dir(&recording)
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();
        assert!(size < 2 << 20, "{size} bytes");
    }
}
