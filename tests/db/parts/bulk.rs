//! Bulk loads by parts whose processes are killed at every place where that leaves something.

use super::{Lake, assert_catalog, assert_code, assert_equal};
use crate::support::{Output, Store, Tables, catalog, run, run_with_stdin};

fn failing(mut command: std::process::Command, point: &str, blocks: Option<&[u8]>) -> Output {
    command.env("FAILPOINTS", format!("{point}=return"));
    let output = match blocks {
        Some(blocks) => {
            command.stdin(std::process::Stdio::piped());
            run_with_stdin(command, blocks)
        }
        None => run(&mut command),
    };
    assert_eq!(output.code, None, "it is aborted: {output:?}");
    output
}

#[tokio::test]
async fn whatever_is_killed_the_result_is_that_of_one_load() {
    for strategy in ["bulk", "merge"] {
        let lake = Lake::new(500);
        let options = ["--strategy", strategy, "--on-existing", "update"];
        let (one, expected) = lake.one_load(&options).await;
        let before = catalog(&one.connect().await).await;
        let store = Store::new("parts", Tables::Foreign);
        failing(lake.command(&store, "--begin", &options), "run-beginning", None);
        assert_eq!(lake.begin(&store, &options).code, Some(0));
        let middle = if strategy == "bulk" { "2*off->bulk-copied" } else { "2*off->lane-merged" };
        let points = ["run-begun", middle, "2*off->lane-after-commit", "run-ending", "finish"];
        for (part, point) in (0..4).cycle().zip(points) {
            let name = point.rsplit("->").next().expect("a name");
            let off = point.strip_suffix(name).unwrap_or_default();
            let mut command = lake.part_command(&store, part, &options);
            command.env("FAILPOINTS", format!("{name}={off}return"));
            command.stdin(std::process::Stdio::piped());
            let output = run_with_stdin(command, &lake.read(&format!("part-{part}")));
            assert_eq!(output.code, None, "{point}: {output:?}");
        }
        for part in 0..4 {
            lake.assert_part(&store, part, &options);
        }
        let ends = if strategy == "bulk" {
            &["all-restored", "run-begun", "run-ending"][..]
        } else {
            &["run-ending"]
        };
        for point in ends {
            failing(lake.command(&store, "--finish", &options), point, None);
        }
        assert_code(&lake.finish(&store, &options), 1);
        assert_equal(&lake.loaded(&store).await, &expected);
        assert_catalog(&store, &before).await;
    }
}

/// Other loads don't come between the beginning and the end.
#[tokio::test]
async fn other_loads_are_refused_while_indexes_are_dropped() {
    let lake = Lake::with_parts(60, 2);
    let store = Store::new("parts", Tables::Foreign);
    assert_eq!(lake.begin(&store, &["--strategy", "bulk"]).code, Some(0));
    lake.assert_part(&store, 0, &["--strategy", "auto"]);
    let refused = super::other_load(&store);
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
}
