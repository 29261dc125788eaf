//! A standby takes over in the middle of a load from a primary that has crashed, was stopped, or can't be reached. With
//! synchronous replication the load goes on. Without it the standby may lack what was confirmed, and the ledger with
//! it: the load ends, and the same command goes on from where the standby is.

use crate::{
    bulk,
    faults::{
        Action, Case, Ended, FaultClass, Loader, Moment, Proxy, Refusal, Shape, Side, Standby, Stop,
        make_alone, make_synchronous, watermarks,
    },
    servers::forget_crashed_sessions,
    support::{Store, TestServer},
};

/// While documents are copied, before COMMIT is sent, and before its answer is told.
const MOMENTS: [Moment; 3] =
    [Moment::Kind(Side::Frontend, b'd', 6), Moment::Commit(9), Moment::CommitAnswer(9)];

/// When all lanes have ended.
const ENDING: Moment = Moment::Statement("UPDATE profile_loader.runs\nSET state", 1);

/// A primary, its standby, and a load that goes to the one that takes writes.
struct Pair<'a> {
    /// Goes first, for its database is dropped where it is.
    store: Store,
    primary: &'a TestServer,
    standby: Standby,
    /// Before the primary.
    proxy: Proxy,
}

impl<'a> Pair<'a> {
    fn new(primary: &'a TestServer, case: &Case) -> Self {
        let store = case.store();
        let standby = Standby::of(primary);
        Self { store, primary, standby, proxy: Proxy::start(primary.address()) }
    }

    fn load(&self, case: &Case, attrs: &str) -> Loader {
        let ports = [self.proxy.port(), self.standby.server().port];
        let name = &self.store.database.name;
        let url = format!(
            "postgresql://postgres@127.0.0.1:{},127.0.0.1:{}/{name}?target_session_attrs={attrs}",
            ports[0], ports[1]
        );
        Loader::start(&self.store, &url, &case.options_with("--watch-every", "2s"))
    }

    /// Judges what the standby holds, and makes the primary one for the next load.
    async fn judge(mut self, class: &mut FaultClass, case: &Case, ended: Ended) {
        class.injected(self.primary.is_down());
        self.standby.takes_over(&mut self.store);
        forget_crashed_sessions(&self.store).await;
        class.judge(case, &self.store, ended).await;
        case.leave(&self.store);
        make_alone(self.primary);
        self.primary.start_again();
    }
}

async fn cases(server: &TestServer) -> [(&'static str, Case, Vec<Moment>); 3] {
    let bulk = [&MOMENTS[..], &bulk::RESTORING, &bulk::MERGING].concat();
    [
        ("merge, update", Case::new(server, Shape::Many, "update").await, MOMENTS.into()),
        ("merge, reject", Case::new(server, Shape::Many, "reject").await, MOMENTS.into()),
        ("bulk, reject", Case::bulk(server, Shape::Many, "reject").await, bulk),
    ]
}

/// Nothing that was confirmed is lost, and the load ends by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_synchronous_standby_takes_over_from_a_primary_that_crashed() {
    takes_over(Stop::Immediate, true, "read-write").await;
}

/// A primary that is stopped in order sends all that it has before.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_standby_takes_over_from_a_primary_that_was_stopped() {
    takes_over(Stop::Fast, false, "any").await;
}

async fn takes_over(how: Stop, is_synchronous: bool, attrs: &str) {
    let primary = TestServer::with_port();
    for (what, case, moments) in cases(&primary).await {
        let mut class = FaultClass::new(format!(
            "standby takes over, primary stopped ({how:?}), synchronous: {is_synchronous} ({what})"
        ));
        for moment in moments {
            let pair = Pair::new(&primary, &case);
            if is_synchronous {
                make_synchronous(&primary);
            }
            let held = pair.proxy.arm(moment, Action::Hold);
            let mut loader = pair.load(&case, attrs);
            assert!(held.fires_unless(|| loader.has_ended()), "{moment:?}: {}", loader.stderr());
            primary.stop(how);
            held.release();
            loader.says("--db-wait");
            pair.standby.promote();
            let ended = loader.end();
            assert_eq!(ended.code(), Some(1), "{moment:?}: {}", ended.stderr);
            assert!(ended.stderr.contains("the load goes on after"), "{}", ended.stderr);
            pair.judge(&mut class, &case, ended).await;
        }
        class.tell();
    }
}

/// What the standby did not receive, the primary had confirmed.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_standby_has_not_received_is_loaded_again() {
    let primary = TestServer::with_port();
    for (what, case, mut moments) in cases(&primary).await {
        let mut class = FaultClass::new(format!("standby that lacks what was confirmed takes over ({what})"));
        moments.push(ENDING);
        for moment in moments {
            let mut pair = Pair::new(&primary, &case);
            let cut = pair.proxy.arm(Moment::Commit(4), Action::Hold);
            let mut loader = pair.load(&case, "read-write");
            assert!(cut.fires_unless(|| loader.has_ended()), "{moment:?}: {}", loader.stderr());
            pair.standby.cut_off();
            let held = pair.proxy.arm(moment, Action::Hold);
            cut.release();
            assert!(held.fires_unless(|| loader.has_ended()), "{moment:?}: {}", loader.stderr());
            let confirmed = watermarks(&primary, &pair.store);
            primary.stop(Stop::Immediate);
            held.release();
            pair.standby.promote();
            assert_ne!(watermarks(pair.standby.server(), &pair.store), confirmed, "{moment:?}");
            let ended = loader.end();
            assert_eq!(ended.code(), Some(4), "{moment:?}: {}", ended.stderr);
            assert!(ended.stderr.contains("was confirmed"), "{moment:?}: {}", ended.stderr);
            pair.judge(&mut class, &case, ended).await;
        }
        class.tell();
    }
}

/// All of it is one COMMIT, which the standby did not receive.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_atomic_load_that_a_standby_has_not_received_is_done_again() {
    let primary = TestServer::with_port();
    let mut case = Case::new(&primary, Shape::One, "update").await;
    case.options.push("--atomic");
    let mut class = FaultClass::new("standby that lacks the one COMMIT takes over (--atomic, update)");
    let mut pair = Pair::new(&primary, &case);
    let cut = pair.proxy.arm(Moment::Kind(Side::Frontend, b'd', 6), Action::Hold);
    let mut loader = pair.load(&case, "read-write");
    assert!(cut.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
    pair.standby.cut_off();
    let held = pair.proxy.arm(ENDING, Action::Hold);
    cut.release();
    assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
    primary.stop(Stop::Immediate);
    held.release();
    pair.standby.promote();
    let ended = loader.end();
    assert_eq!(ended.code(), Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains("was confirmed"), "{}", ended.stderr);
    pair.judge(&mut class, &case, ended).await;
    class.tell();
}

/// Nobody has taken it out of service, and it can be reached again: what goes there is lost with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_former_primary_that_comes_back_is_not_taken_for_the_new_one() {
    let primary = TestServer::with_port();
    for (what, case, _) in cases(&primary).await {
        let mut class = FaultClass::new(format!("former primary comes back ({what})"));
        for moment in [Moment::Commit(3), Moment::Statement("UPDATE profile_loader.run_lanes", 8)] {
            let mut pair = Pair::new(&primary, &case);
            let new = Proxy::start(pair.standby.server().address());
            let name = pair.store.database.name.clone();
            let ports = [pair.proxy.port(), new.port()];
            let url = format!(
                "postgresql://postgres@127.0.0.1:{},127.0.0.1:{}/{name}?target_session_attrs=read-write",
                ports[0], ports[1]
            );
            let held = pair.proxy.arm(Moment::Kind(Side::Frontend, b'd', 6), Action::Hold);
            let mut loader = Loader::start(&pair.store, &url, &case.options_with("--watch-every", "2s"));
            assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
            // The primary can't be reached, and works.
            pair.proxy.turn_away(u64::MAX, Refusal::Close);
            primary.terminate_loaders(&pair.store.database);
            pair.standby.cut_off();
            held.release();
            pair.standby.promote();
            let held = new.arm(moment, Action::Hold);
            assert!(held.fires_unless(|| loader.has_ended()), "{moment:?}: {}", loader.stderr());
            pair.proxy.let_through();
            assert!(pair.standby.server().terminate_loaders(&pair.store.database) > 0);
            held.release();
            let ended = loader.end();
            assert_eq!(ended.code(), Some(4), "{moment:?}: {}", ended.stderr);
            assert!(ended.stderr.contains("was confirmed"), "{moment:?}: {}", ended.stderr);
            primary.stop(Stop::Fast);
            pair.judge(&mut class, &case, ended).await;
        }
        class.tell();
    }
}
