//! A compressed input whose checksum is wrong: what it gave can't be trusted, is told, and is corrected by a sound copy.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

use crate::support::{Store, Tables, assert_stored, generate, texts};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

#[tokio::test]
async fn a_sound_copy_corrects_what_a_damaged_one_left() {
    let sound = generate(&["--count", "3000", "--seed", "61"]);
    let text = String::from_utf8(sound.clone()).expect("it is text");
    let names = text[..text.len() / 2].rmatch_indices("\"lastName\":\"").map(|(at, key)| at + key.len());
    let at = names.into_iter().find(|&at| sound[at].is_ascii_alphabetic()).expect("there are plain names");
    let mut altered = sound.clone();
    altered[at] = b'%';
    // The text of one, with the checksum of the other.
    let mut damaged = gzip(&altered);
    let (trailer, sound_gzip) = (damaged.len() - 8, gzip(&sound));
    damaged[trailer..].copy_from_slice(&sound_gzip[sound_gzip.len() - 8..]);
    for strategy in ["merge", "bulk"] {
        let store = Store::new("damaged", Tables::Migrated);
        let input = store.file("input.ndjson.gz", &damaged);
        let options = ["--strategy", strategy, "--chunk-bytes", "4000", "--batch-bytes", "130000"];
        let refused = store.load_file(&options, &input);
        assert_eq!(refused.code, Some(5), "{strategy}: {}", refused.stderr);
        for words in ["that is lines 1 to 3000", "run 1 is abandoned", "--on-existing update"] {
            assert!(refused.stderr.contains(words), "{strategy}: {}", refused.stderr);
        }
        let client = store.connect().await;
        let states = "SELECT state FROM profile_loader.runs";
        assert_eq!(texts(&client, states).await, ["abandoned"]);
        assert_eq!(texts(&client, "SELECT count(*)::text FROM profile_loader.run_ddl").await, ["0"]);
        let keys = "SELECT count(*)::text FROM pg_constraint WHERE contype = 'p' AND connamespace = 'public'::regnamespace";
        assert_eq!(texts(&client, keys).await, ["4"]);
        store.file("input.ndjson.gz", &gzip(&sound));
        let corrected = store.load_file(&["--on-existing", "update"], &input);
        assert_eq!((corrected.code, corrected.counts()[1]), (Some(0), 1), "{strategy}: {}", corrected.stderr);
        assert_stored(&client, text.lines().map(str::as_bytes)).await;
    }
}
