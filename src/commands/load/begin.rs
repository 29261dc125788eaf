//! Begins the run that was chosen, or resumes it. From here on the ledger has it, so whoever calls this ends it, too.

use super::{
    choose::{Choice, NewStrategy, RunChoice},
    request::{LoadRequest, failure_of_ledger},
};
use crate::{
    commands::failure::{Failure, exit},
    console::Console,
    load::{BegunRun, Control, NewRun},
    postgres::ErrorClass,
    runs::Run,
    settings::Strategy,
};

pub(super) async fn begin_run(
    control: &mut Control,
    request: LoadRequest<'_>,
    choice: RunChoice,
) -> Result<Run, Failure> {
    let LoadRequest { settings, console, documents } = request;
    let RunChoice { key, input, what } = choice;
    let (strategy, abandon) = match what {
        Choice::Resume { id, .. } => {
            let run = control.resume(id, &key).await.map_err(|error| failure_of_ledger(&error))?;
            report_resumed(&run, console);
            return Ok(run);
        }
        Choice::Begin { strategy, abandon } => (strategy, abandon),
    };
    if let Some(id) = abandon {
        control.abandon(id).await.map_err(|error| failure_of_ledger(&error))?;
        console.warn(&format!(
            "run {id} of this input is abandoned and a new one begins (--resume never): what it loaded stays, and \
             counts as stored before this run"
        ));
    }
    let lanes = if settings.atomic { 1 } else { settings.connections };
    let new = |strategy| {
        let may_defer = documents.rejects.is_some();
        NewRun { key: &key, strategy, lanes, may_defer, input: &input }
    };
    if strategy != NewStrategy::Merge {
        match control.begin(new(Strategy::Bulk)).await {
            Ok(Ok(begun)) => return Ok(report_begun(begun, console)),
            Ok(Err(obstacle)) if strategy == NewStrategy::Bulk => {
                return Err(Failure::new(
                    exit::NEEDS_A_PERSON,
                    format!("--strategy bulk can't be used: {obstacle}; load with --strategy merge"),
                ));
            }
            Ok(Err(obstacle)) => console.detail(&format!("merging, because {obstacle}")),
            Err(error) if strategy == NewStrategy::BulkIfPossible && error.class() == ErrorClass::Locked => {
                console.warn("other sessions hold locks on the empty tables, so their indexes are kept");
            }
            Err(error) => return Err(failure_of_ledger(&error)),
        }
    }
    let begun = control.begin(new(Strategy::Merge)).await;
    let begun =
        begun.map_err(|error| failure_of_ledger(&error))?.expect("nothing stands in the way of merging");
    Ok(report_begun(begun, console))
}

fn report_begun(begun: BegunRun, console: Console) -> Run {
    let id = begun.run.id;
    console.detail(&format!("this is run {id}"));
    if begun.run.plan.in_order {
        console.info(&format!(
            "documents are loaded in input order by one connection, because these constraints may hold between \
             profiles: {}",
            begun.clashes.join(", ")
        ));
    }
    let Some(dropped) = &begun.dropped else { return begun.run };
    if dropped.steps > 0 {
        console.info(&format!(
            "filling empty tables in bulk: indexes and foreign keys are dropped until all is loaded (run {id}, {} \
             steps restore them)",
            dropped.steps
        ));
    }
    if !dropped.kept.is_empty() {
        console.info(&format!(
            "documents may violate these or other objects need them, so they are kept: {}",
            dropped.kept.join(", ")
        ));
    }
    begun.run
}

fn report_resumed(run: &Run, console: Console) {
    let loaded = run.counts().loaded();
    console.info(&format!(
        "resuming run {} (attempt {}): {loaded} documents are committed; the input is read again from its beginning",
        run.id, run.attempt
    ));
}
