//! `load --plan --begin`: makes the tables, and drops once for all parts what a bulk load does without.

use std::time::{Duration, Instant};

use tokio::time;

use super::{PlanLoad, refuse_other_settings};
use crate::{
    commands::{
        database::{Database, failure_of_control, failure_of_run, no_answer, reach, stop},
        failure::{Failure, exit},
        limits,
        load::{
            LoadRequest, OTHER_CONNECTIONS,
            begin::{locked, report_begun},
            choose::{BULK_INPUT_BYTES_MIN, refuse_beside_bulk},
            refuse_to_begin,
            request::failure_of_ledger,
            session_kinds,
        },
        preflight::{Tables, Wanted, look_at_target},
        runtime::CommandRuntime,
        signals::{self, Signals},
        tables::{ensure_tables, warn_of_difference},
    },
    load::{Control, NewOfPlan, check_sessions},
    postgres::{ErrorClass, Target},
    runs::{PendingStep, PlanRun, target_lock::TargetLock},
    settings::{Resume, Strategy, StrategyRequest},
};

/// Whoever waited behind our attempt to lock comes through in this time.
const LOCK_PAUSE: Duration = Duration::from_secs(2);

pub(super) fn begin(load: &PlanLoad<'_>, database: Database) -> Result<(), Failure> {
    let LoadRequest { settings, console, .. } = load.request;
    limits::refuse_tight(settings.connections + OTHER_CONNECTIONS, 0, 0, false)?;
    let runtime = CommandRuntime::new()?;
    let mut signals = Signals::catch(runtime.handle())?;
    let (server, target) = reach(database, console)?;
    runtime.block_on(async {
        tokio::select! {
            begun = load.begin(&target) => begun,
            signal = signals.received() => Err(Failure::new(
                signals::exit_code(signal),
                "stopped by a signal; the same command begins the plan, or says that it has begun",
            )),
        }
    })?;
    stop(server)
}

impl PlanLoad<'_> {
    async fn begin(&self, target: &Target) -> Result<(), Failure> {
        let LoadRequest { settings, console, .. } = self.request;
        let report = |message: String| console.warn(&message);
        let mut control = self.connect(target, TargetLock::whole(&settings.db_schema)).await?;
        if self.has_begun(&mut control).await?.is_some() {
            return Ok(());
        }
        let held = control.hold_target(settings.when_held, &report).await;
        held.map_err(|error| failure_of_control(error, target))?;
        let pending = self.make_tables(&mut control, target).await?;
        let runs = self.runs(&mut control, None).await?;
        let earlier = runs.into_iter().find(|run| run.part.is_none());
        match &earlier {
            Some(run) if settings.resume == Resume::Never => Self::refuse_unfinished(run)?,
            // Another has begun it meanwhile.
            Some(_) => return self.has_begun(&mut control).await.map(drop),
            None => {}
        }
        if !pending.is_empty() {
            return Err(refuse_beside_bulk(&pending));
        }
        let strategy = self.strategy(&mut control).await?;
        let kinds = session_kinds(settings.connections, false, strategy);
        let target_of_check = target.named("profile-loader check");
        let checked = check_sessions(&target_of_check, &kinds, &settings.timeouts, &report).await;
        checked.map_err(|error| failure_of_run(error, target))?;
        self.begin_run(&mut control, strategy, earlier.map(|run| run.id)).await
    }

    /// The run of a plan that has begun, with words about it.
    async fn has_begun(&self, control: &mut Control) -> Result<Option<i64>, Failure> {
        let LoadRequest { settings, console, .. } = self.request;
        let runs = self.runs(control, None).await?;
        let Some(run) = runs.iter().find(|run| run.part.is_none()) else { return Ok(None) };
        if settings.resume == Resume::Never {
            return Ok(None);
        }
        refuse_other_settings(run, run.id)?;
        let words = if run.has_ended() {
            format!(
                "the plan is loaded already (run {}); to load it once more, begin it with --resume never",
                run.id
            )
        } else {
            format!("the plan has begun already (run {}, {})", run.id, run.strategy.name())
        };
        console.info(&words);
        Ok(Some(run.id))
    }

    fn refuse_unfinished(run: &PlanRun) -> Result<(), Failure> {
        if run.has_ended() {
            return Ok(());
        }
        Err(Failure::new(
            exit::NEEDS_A_PERSON,
            format!(
                "run {id} of the plan is unfinished; abandon it, and the plan can be begun anew: profile-loader runs abandon {id}",
                id = run.id
            ),
        ))
    }

    async fn make_tables(&self, control: &mut Control, target: &Target) -> Result<Vec<PendingStep>, Failure> {
        let LoadRequest { settings, console, .. } = self.request;
        let answer = settings.timeouts.answer;
        let mut findings = Vec::new();
        let looked = look_at_target(control.client(), Wanted::by(settings), &mut findings);
        let tables = time::timeout(answer, looked).await.map_err(|_| no_answer(target))??;
        refuse_to_begin(&findings)?;
        match tables.filter(Tables::are_ready) {
            Some(tables) => {
                tables.differences.iter().for_each(|what| warn_of_difference(what, console));
                Ok(tables.pending)
            }
            None => {
                let tables = ensure_tables(control.client(), settings, console);
                time::timeout(answer, tables).await.map_err(|_| no_answer(target))?
            }
        }
    }

    /// The strategy that was requested, or the one that suits.
    async fn strategy(&self, control: &mut Control) -> Result<Strategy, Failure> {
        let LoadRequest { settings, console, .. } = self.request;
        let bytes: u64 = self.plan.sources.iter().map(|source| source.bytes).sum();
        let because = match settings.strategy {
            StrategyRequest::Only(strategy) => return Ok(strategy),
            StrategyRequest::Auto if bytes < BULK_INPUT_BYTES_MIN => {
                "restoring indexes saves no time for so little input".to_owned()
            }
            StrategyRequest::Auto => {
                let obstacle = control.obstacle(&settings.db_schema).await;
                match obstacle.map_err(|error| failure_of_ledger(&error))? {
                    None => return Ok(Strategy::Bulk),
                    Some(obstacle) => obstacle.to_string(),
                }
            }
        };
        console.detail(&format!("merging, because {because}"));
        Ok(Strategy::Merge)
    }

    /// Tries to lock the tables again and again, where they are to be.
    async fn begin_run(
        &self,
        control: &mut Control,
        strategy: Strategy,
        over: Option<i64>,
    ) -> Result<(), Failure> {
        let LoadRequest { settings, console, .. } = self.request;
        let until = Instant::now() + settings.timeouts.db_wait;
        let mut new = NewOfPlan {
            key: &self.key,
            strategy,
            lanes: settings.connections,
            plan: &self.plan.digest,
            parts: self.plan.parts,
            range: self.range,
            part: None,
            whole: over,
        };
        loop {
            let error = match control.begin_of_plan(new).await {
                Ok(Ok(begun)) => {
                    let (parts, run) = (self.range.count, report_begun(begun, console));
                    console.info(&format!(
                        "the plan has begun as run {}, {}; now its {parts} parts can be loaded, and then it is finished with \
                         --finish",
                        run.id,
                        strategy.name()
                    ));
                    return Ok(());
                }
                Ok(Err(obstacle)) if settings.strategy == StrategyRequest::Auto => {
                    console.detail(&format!("merging, because {obstacle}"));
                    new.strategy = Strategy::Merge;
                    continue;
                }
                Ok(Err(obstacle)) => {
                    return Err(Failure::new(
                        exit::NEEDS_A_PERSON,
                        format!("--strategy bulk can't be used: {obstacle}; begin with --strategy merge"),
                    ));
                }
                Err(error) if error.class() == ErrorClass::Locked => error,
                Err(error) => return Err(failure_of_ledger(&error)),
            };
            let holders = control.lock_holders(&self.key.db_schema).await;
            let holders = holders.map_err(|error| failure_of_ledger(&error))?;
            if Instant::now() >= until {
                return Err(locked(&error, holders.as_deref()));
            }
            time::sleep(LOCK_PAUSE).await;
        }
    }
}
