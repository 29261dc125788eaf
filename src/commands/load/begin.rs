//! Begins the run that was chosen, or resumes it. From here on the ledger has it, so whoever calls this ends it, too.

use std::time::{Duration, Instant};

use tokio::time;

use super::{
    choose::{Choice, NewStrategy, RunChoice},
    request::{LoadRequest, failure_of_ledger},
};
use crate::{
    commands::{
        failure::{Failure, exit},
        signals::{self, Signals},
    },
    console::Console,
    load::{
        BegunRun, Control, NewRun,
        bulk::{DroppedDdl, Obstacle},
    },
    postgres::{ErrorClass, quote_identifier},
    runs::{Run, RunError},
    settings::Strategy,
    tables::Table,
};

/// A session that holds a lock on empty tables is waited for no longer than this, where merging does as well.
const LOCKED_PATIENCE: Duration = Duration::from_secs(10);

/// Whoever waited behind our attempt to lock comes through in this time.
const LOCK_PAUSE: Duration = Duration::from_secs(2);

pub(super) async fn begin_run(
    control: &mut Control,
    request: LoadRequest<'_>,
    choice: RunChoice,
    signals: &Signals,
) -> Result<Run, Failure> {
    let LoadRequest { settings, console, documents } = request;
    let RunChoice { key, input, what, .. } = choice;
    let (strategy, abandon) = match what {
        Choice::Resume { id, .. } => {
            let run = control.resume(id, &key).await.map_err(|error| failure_of_ledger(&error))?;
            report_resumed(&run, console);
            let changed = control.changed_etags(id, &input.sources).await;
            for name in changed.map_err(|error| failure_of_ledger(&error))? {
                console.info(&format!(
                    "{name} has another ETag than when run {id} read it; what that has loaded is held against what it holds now"
                ));
            }
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
    let db_wait = settings.timeouts.db_wait;
    let begun = match strategy {
        NewStrategy::Merge => None,
        NewStrategy::Bulk => Some(begin_bulk(new(Strategy::Bulk), control, db_wait, console, signals).await?),
        NewStrategy::BulkIfPossible => {
            let patience = db_wait.min(LOCKED_PATIENCE);
            Some(begin_bulk(new(Strategy::Bulk), control, patience, console, signals).await?)
        }
    };
    match begun {
        None => {}
        Some(Bulk::Begun(begun)) => return Ok(report_begun(*begun, console)),
        Some(Bulk::Obstacle(obstacle)) if strategy == NewStrategy::Bulk => {
            return Err(Failure::new(
                exit::NEEDS_A_PERSON,
                format!("--strategy bulk can't be used: {obstacle}; load with --strategy merge"),
            ));
        }
        Some(Bulk::Obstacle(obstacle)) => console.detail(&format!("merging, because {obstacle}")),
        Some(Bulk::Locked { error, holders }) if strategy == NewStrategy::Bulk => {
            return Err(locked(&error, holders.as_deref()));
        }
        Some(Bulk::Locked { holders, .. }) => console.warn(&format!(
            "other sessions hold locks on the empty tables, so their indexes are kept{}",
            holders.map_or_else(String::new, |holders| format!(": {holders}"))
        )),
    }
    let begun = control.begin(new(Strategy::Merge)).await;
    let begun =
        begun.map_err(|error| failure_of_ledger(&error))?.expect("nothing stands in the way of merging");
    Ok(report_begun(begun, console))
}

/// What an attempt at beginning a bulk load came to.
enum Bulk {
    Begun(Box<BegunRun>),
    Obstacle(Obstacle),
    /// Somebody holds locks on the tables, and was waited for.
    Locked {
        error: RunError,
        holders: Option<String>,
    },
}

/// Tries to lock the tables again and again, each time for a moment only: whoever wants to read them waits behind
/// us.
async fn begin_bulk(
    new: NewRun<'_>,
    control: &mut Control,
    patience: Duration,
    console: Console,
    signals: &Signals,
) -> Result<Bulk, Failure> {
    let until = Instant::now() + patience;
    let mut has_told = false;
    loop {
        let error = match control.begin(new).await {
            Ok(Ok(begun)) => return Ok(Bulk::Begun(Box::new(begun))),
            Ok(Err(obstacle)) => return Ok(Bulk::Obstacle(obstacle)),
            Err(error) if error.class() == ErrorClass::Locked => error,
            Err(error) => return Err(failure_of_ledger(&error)),
        };
        let holders = control.lock_holders(&new.key.db_schema).await;
        let holders = holders.map_err(|error| failure_of_ledger(&error))?;
        if Instant::now() >= until {
            return Ok(Bulk::Locked { error, holders });
        }
        if let Some(holders) = holders
            && !std::mem::replace(&mut has_told, true)
        {
            let patience = humantime::format_duration(Duration::from_secs(patience.as_secs()));
            console.warn(&format!(
                "the tables can't be locked to drop their indexes, because {holders}; trying again for up to \
                 {patience}"
            ));
        }
        let mut signals = signals.clone();
        tokio::select! {
            () = time::sleep(LOCK_PAUSE) => {}
            signal = signals.received() => {
                let message = "stopped by a signal before anything was loaded";
                return Err(Failure::new(signals::exit_code(signal), message));
            }
        }
    }
}

pub(super) fn locked(error: &RunError, holders: Option<&str>) -> Failure {
    let because = holders.map_or_else(String::new, |holders| format!(", because {holders}"));
    let message = format!(
        "{}{because}; end that transaction (SELECT pg_terminate_backend(PID) ends its session), wait longer with \
         --db-wait, or load with --strategy merge, which needs no such lock",
        error.message()
    );
    Failure::new(exit::TEMPORARY, message)
}

pub(super) fn report_begun(begun: BegunRun, console: Console) -> Run {
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
        console.info(&kept_message(dropped, &begun.run.key.db_schema));
    }
    begun.run
}

fn kept_message(dropped: &DroppedDdl, db_schema: &str) -> String {
    let kept = dropped.kept.join(", ");
    let [(name, table), ..] = &*dropped.triggers else {
        return format!("documents may violate these or other objects need them, so they are kept: {kept}");
    };
    let trigger = |(name, table): &(String, Table)| format!("{name} on {}", table.name());
    let triggers: Vec<_> = dropped.triggers.iter().map(trigger).collect();
    format!(
        "triggers may change the rows that come in ({}), and indexes and foreign keys refuse what they get wrong, so they \
         are kept: {kept}; the load is slower for it. Where a trigger is not needed meanwhile: ALTER TABLE {}.{} DISABLE \
         TRIGGER {}",
        triggers.join(", "),
        quote_identifier(db_schema),
        table.name(),
        quote_identifier(name)
    )
}

pub(super) fn report_resumed(run: &Run, console: Console) {
    let loaded = run.counts().loaded();
    console.info(&format!(
        "resuming run {} (attempt {}): {loaded} documents are committed; the input is read again from its beginning",
        run.id, run.attempt
    ));
}
