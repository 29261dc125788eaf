//! Documents that clash with each other are deferred, and decided once; whatever happens on the way.

use crate::{
    cases::in_order_case,
    failpoints::{OF_BATCHES, abort},
    faults::{FaultClass, Shape},
    killed::killed,
};

/// Some of the input, and those of the deferred documents.
const BATCHES: [u32; 3] = [0, 1, 3];

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_program_dies_at_every_failpoint_of_a_batch() {
    let case = in_order_case(Shape::Few, "update").await;
    let mut class = FaultClass::new("in order: abort in batches (update)");
    for before in BATCHES {
        for name in OF_BATCHES {
            abort(&mut class, &case, &format!("{name}={before}*off->return")).await;
        }
    }
    class.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn killed_at_any_moment() {
    let case = in_order_case(Shape::Few, "reject").await;
    killed(&case, "in order: kill -9 (reject)", 12, 5).await;
}
