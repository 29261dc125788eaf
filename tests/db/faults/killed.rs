//! `kill -9` of the loader, at seeded moments over a load: after so many messages or bytes of either side have
//! passed, wherever that is.

use rustix::process::Signal;

use crate::{
    cases::{array_case, case, load_to_hold, server, traffic},
    faults::{Action, Case, Counts, FaultClass, Moment, Proxy, Shape, Side},
    support::Random,
};

const KILLS: u32 = 40;

/// A load is killed so often at most before it may end.
const KILLS_OF_ONE_LOAD: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn killed_while_existing_profiles_reject() {
    let case = case(Shape::Many, "reject").await;
    killed(&case, "kill -9 (reject)", KILLS, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn killed_while_existing_profiles_are_updated() {
    let case = case(Shape::Many, "update").await;
    killed(&case, "kill -9 (update)", KILLS, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn killed_while_an_array_is_loaded() {
    let case = array_case("reject").await;
    killed(&case, "kill -9 (an array, reject)", KILLS / 2, 3).await;
}

pub(crate) async fn killed(case: &Case, name: &str, kills: u32, seed: u64) {
    let whole = traffic(case);
    let mut class = FaultClass::new(name);
    let mut random = Random(seed);
    while class.fired() < kills {
        let store = case.store();
        let mut ended = None;
        for _ in 0..=random.below(KILLS_OF_ONE_LOAD) {
            let proxy = Proxy::start(server().address());
            let fault = proxy.arm(moment(&mut random, whole), Action::Hold);
            let mut loader = load_to_hold(&proxy, case, &store);
            let is_reached = fault.fires_unless(|| loader.has_ended());
            if is_reached {
                loader.signal(Signal::KILL);
            }
            let last = loader.end();
            if is_reached {
                assert_eq!(last.signal(), Some(9), "{}", last.stderr);
                class.injected(fault.has_fired());
            }
            // A load that went on from where another was killed may end before its moment comes.
            let is_over = case.is_over(&store, &last).await;
            ended = Some(last);
            if is_over {
                break;
            }
        }
        class.judge(case, &store, ended.expect("there was an attempt")).await;
    }
    class.tell();
}

fn moment(random: &mut Random, whole: Counts) -> Moment {
    let Counts { messages, bytes, .. } = whole;
    let mut below = |end: u64| 1 + random.next() % end;
    match below(4) {
        1 => Moment::Byte(Side::Frontend, below(bytes[0])),
        2 => Moment::Message(Side::Frontend, below(messages[0])),
        _ => Moment::Message(Side::Backend, below(messages[1])),
    }
}
