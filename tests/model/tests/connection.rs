//! A million things happen in random worlds, and every message is heard once and in order, by whom it was meant for.
//! `BELAY_MODEL_STEPS` asks for more, `BELAY_MODEL_SEED` for another beginning.

use belay_model::{Count, World};

fn wanted(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

#[test]
fn link_seal_and_relay_together_deliver_everything_once_to_whom_it_was_meant_for() {
    let steps = wanted("BELAY_MODEL_STEPS", 1_000_000);
    let mut seed = wanted("BELAY_MODEL_SEED", 0);
    let mut count = Count::default();
    while count.steps < steps {
        seed += 1;
        // A panic says nothing of the world it happened in; this line is shown when it does.
        println!("seed {seed}");
        let mut world = World::new(seed);
        for _ in 0..3000 {
            world.live();
        }
        count += world.rest();
    }
    println!("{count:?}");
    // A world in which nothing happens proves nothing.
    let share =
        |number: u64, least: u64| assert!(number * 1000 >= count.steps * least, "{number} of {count:?}");
    share(count.heard, 80);
    share(count.forwarded, 40);
    share(count.meddled, 3);
    share(count.refused, 5);
    assert!(count.slowed > 100 && count.pairings > 200, "{count:?}");
    assert!(count.restarts > 20, "{count:?}");
}
