//! The report and the reject files depend on the input alone, and add up.

use serde_json::Value;

use crate::{
    documents::{faulty, generated, mixed},
    folder::{Folder, without_times},
};

const DOCUMENTS: usize = 3000;

#[test]
fn the_result_does_not_depend_on_workers_and_chunks() {
    let folder = Folder::with("a.ndjson", generated(DOCUMENTS / 3));
    folder.write("b.ndjson", mixed(50, 3));
    let result = |options: &str| {
        let words = format!("validate a.ndjson b.ndjson --rejects rejects --output json -q {options}");
        let output = folder.run(&words);
        assert_eq!((output.code, output.stderr.as_str()), (Some(1), ""), "{options}");
        let report: Value = serde_json::from_str(&output.stdout).expect("the report is JSON");
        let files = ["rejects/rejects.ndjson", "rejects/rejects.errors.ndjson"].map(|name| folder.read(name));
        (without_times(report), files)
    };
    let expected = result("--jobs 1");
    for jobs in [1, 2, 5] {
        for chunk_bytes in [1, 1000, 100_000] {
            let options = format!("--jobs {jobs} --chunk-bytes {chunk_bytes}");
            let (report, files) = result(&options);
            assert_eq!(report, expected.0, "{options}");
            assert!(files == expected.1, "the reject files differ with {options}");
        }
    }
}

/// How far the reader was ahead when the limit was passed is in no report.
#[test]
fn a_run_that_stops_at_its_limit_tells_the_same_every_time() {
    let folder = Folder::with("a.ndjson", mixed(200, 300).replace(&faulty(0), ""));
    folder.write("b.ndjson", "");
    folder.write("c.ndjson", mixed(3000, 100));
    folder.write("d.ndjson", mixed(100, 2));
    let result = |jobs: usize| {
        let inputs = "a.ndjson b.ndjson c.ndjson d.ndjson";
        let options = format!("--max-rejects 3 --chunk-bytes 3000 --output json --jobs {jobs}");
        let output = folder.run(&format!("validate {inputs} {options}"));
        assert_eq!(output.code, Some(3), "{}", output.stderr);
        without_times(serde_json::from_str(&output.stdout).expect("the report is JSON"))
    };
    let expected = result(1);
    let whole: Vec<_> =
        expected["inputs"].as_array().expect("a list").iter().map(|i| i["bytes"].as_u64()).collect();
    assert_eq!(whole, [Some(folder.read("a.ndjson").len() as u64), Some(0), None, None]);
    for attempt in 0..40 {
        assert_eq!(result(1 + attempt % 3), expected);
    }
}

#[test]
fn counts_add_up_and_samples_are_in_input_order() {
    let documents = generated(DOCUMENTS);
    let folder = Folder::with("customers.ndjson", &documents);
    folder.run("validate customers.ndjson --rejects rejects --report report.json");
    let report = folder.read_report("report.json");
    let count = |value: &Value| value.as_u64().expect("a count is a number");
    let counts = &report["documents"];
    let rejected = count(&counts["rejected"]);
    assert_eq!(count(&counts["read"]), 3000);
    assert_eq!(count(&counts["read"]), count(&counts["accepted"]) + rejected);
    assert_eq!(report["inputs"][0]["documents"], counts["read"]);
    assert_eq!(report["inputs"][0]["bytes"], documents.len());

    let groups = report["errors"].as_array().expect("groups are a list");
    assert!(groups.len() > 16, "every kind of fault occurs: {}", groups.len());
    let frequencies: Vec<_> = groups.iter().map(|group| count(&group["documents"])).collect();
    assert!(frequencies.is_sorted_by(|more, less| more >= less), "{frequencies:?}");
    let only_fault: u64 = groups.iter().map(|group| count(&group["only_fault_of"])).sum();
    assert!(only_fault <= rejected && frequencies.iter().sum::<u64>() >= rejected);

    let lines: Vec<&[u8]> = documents.split_inclusive(|byte| *byte == b'\n').collect();
    for group in groups {
        let samples = group["samples"].as_array().expect("samples are a list");
        assert_eq!(samples.len() as u64, count(&group["documents"]).min(5));
        let places: Vec<_> =
            samples.iter().map(|sample| (count(&sample["line"]), count(&sample["byte_offset"]))).collect();
        assert!(places.is_sorted(), "{places:?}");
        for (line, byte_offset) in places {
            let before = usize::try_from(line).expect("few lines") - 1;
            assert_eq!(lines[..before].concat().len() as u64, byte_offset, "line {line}");
        }
    }
    let errors = folder.read("rejects/rejects.errors.ndjson");
    assert_eq!(errors.split(|byte| *byte == b'\n').count() as u64, rejected + 1);
}

#[test]
fn every_rejected_line_is_told_of_with_all_its_faults() {
    let documents = generated(DOCUMENTS);
    let folder = Folder::with("customers.ndjson", &documents);
    folder.run("validate customers.ndjson --rejects rejects --report report.json");
    let rejected = folder.read("rejects/rejects.ndjson");
    let errors = folder.read("rejects/rejects.errors.ndjson");
    let mut faults = 0;
    for (index, (line, record)) in
        rejected.split_inclusive(|b| *b == b'\n').zip(errors.split_inclusive(|b| *b == b'\n')).enumerate()
    {
        let record: Value = serde_json::from_slice(record).expect("a record is JSON");
        assert_eq!(record["reject_line"], index + 1);
        let start = record["byte_offset"].as_u64().and_then(|at| usize::try_from(at).ok()).expect("a place");
        assert!(documents[start..].starts_with(line), "{record}");
        faults += record["errors"].as_array().expect("errors are a list").len();
    }
    let report = folder.read_report("report.json");
    let groups = report["errors"].as_array().expect("groups are a list");
    let counted: u64 = groups.iter().filter_map(|group| group["count"].as_u64()).sum();
    assert_eq!(faults as u64, counted);
}
