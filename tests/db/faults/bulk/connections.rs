//! Connections of a bulk load that are cut, orphaned and stalled.

use super::all_moments;
use crate::{
    cases::bulk_case,
    connections::{at_messages, disturb},
    faults::{Action, FaultClass, Moment, Shape, Side},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn cut_before_messages_of_the_loader() {
    let case = bulk_case(Shape::Few, "reject").await;
    at_messages(&case, "bulk, reject", Side::Frontend, Action::CutBefore, [1, 31]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn cut_before_messages_of_the_server() {
    let case = bulk_case(Shape::Few, "update").await;
    at_messages(&case, "bulk, update", Side::Backend, Action::CutBefore, [1, 43]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn orphaned_at_messages_of_the_loader() {
    let case = bulk_case(Shape::Few, "update").await;
    at_messages(&case, "bulk, update", Side::Frontend, Action::Orphan, [1, 61]).await;
}

/// The server has done what a COMMIT says, and nobody hears of it: dropping, batches, each step that restores.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn lost_answers_to_commit() {
    let case = bulk_case(Shape::Few, "reject").await;
    let mut class = FaultClass::new("bulk: answer to COMMIT lost (reject)");
    let store = case.store();
    for number in (1..).step_by(3) {
        if !disturb(&mut class, &case, &store, Moment::CommitAnswer(number), Action::CutBefore).await {
            break;
        }
    }
    assert!(class.fired() > 6, "there are many transactions");
    class.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn half_open() {
    let case = bulk_case(Shape::Many, "update").await;
    let mut class = FaultClass::new("bulk: half-open connection (update)");
    let store = case.store();
    for moment in all_moments() {
        assert!(disturb(&mut class, &case, &store, moment, Action::Stall).await, "{moment:?}");
    }
    class.tell();
}
