//! Replays the committed corpus, and throws mutations of it that need no fuzzer.

use belay_fuzz::TARGETS;
use std::path::Path;

#[test]
fn the_corpus_and_its_mutations_are_harmless() {
    for (name, run) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let files =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut seeds: Vec<Vec<u8>> = files
            .map(|file| std::fs::read(file.expect("a readable folder").path()).expect("a readable file"))
            .collect();
        assert!(!seeds.is_empty(), "no corpus for {name}");
        seeds.sort();
        seeds.iter().for_each(|seed| run(seed));
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
            let mut bytes = seeds[rng.usize(..seeds.len())].clone();
            for _ in 0..rng.usize(1..4) {
                match rng.u8(..4) {
                    0 if !bytes.is_empty() => {
                        let at = rng.usize(..bytes.len());
                        bytes[at] = rng.u8(..);
                    }
                    1 => bytes.truncate(rng.usize(..=bytes.len())),
                    2 => bytes.push(rng.u8(..)),
                    _ => {
                        let other = &seeds[rng.usize(..seeds.len())];
                        bytes.extend_from_slice(&other[rng.usize(..=other.len())..]);
                    }
                }
            }
            run(&bytes);
        }
    }
}
