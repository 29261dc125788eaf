//! Ids of e-mails and phone numbers: blocks of them where the sequence is the column's own, the server's otherwise, and none
//! twice, whatever others do with the sequences.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::json;

use super::{attempt, document, load_bulk, store, valid};
use crate::support::{Store, assert_stored, document_lines, ndjson, texts};

/// After `setval` nothing is set aside for next values that a crash may lose; after `nextval` there is.
const WAS_SET: &str = "
    SELECT (log_cnt = 0 AND is_called)::text FROM customer_profile_emails_id_seq UNION ALL
    SELECT (log_cnt = 0 AND is_called)::text FROM customer_profile_phone_numbers_id_seq";

async fn load_all(of_owner: &str) -> (Store, Vec<u8>) {
    let input = valid(700);
    let store = store("ids", of_owner, &input);
    let run = load_bulk(&store, &[]);
    assert_eq!((run.code, run.counts()), (Some(0), [700, 0, 0, 0, 0]), "{of_owner}: {}", run.stderr);
    assert_stored(&store.connect().await, document_lines(&input).into_iter().map(|(_, line)| line)).await;
    (store, input)
}

/// Of the e-mails: least and greatest id, how many there are, and the next value of the sequence.
async fn emails(store: &Store, sequence: &str) -> [i64; 4] {
    let sql = format!(
        "SELECT unnest(ARRAY[min(id), max(id), count(DISTINCT id), nextval('{sequence}')])::text
         FROM customer_profile_emails"
    );
    let texts = texts(&store.connect().await, &sql).await;
    let numbers: Vec<i64> = texts.iter().map(|text| text.parse().expect("it is a number")).collect();
    numbers.try_into().expect("there are four")
}

const EMAILS: &str = "customer_profile_emails_id_seq";

#[tokio::test]
async fn blocks_of_a_sequence_leave_no_gaps_where_nothing_goes_wrong() {
    let (store, _) = load_all("").await;
    assert_eq!(texts(&store.connect().await, WAS_SET).await, ["true", "true"]);
    let [least, most, count, next] = emails(&store, EMAILS).await;
    assert!(count > 700);
    assert_eq!([least, most, next], [1, count, count + 1]);
}

#[tokio::test]
async fn a_sequence_that_begins_elsewhere() {
    for (of_owner, first) in [
        (format!("ALTER SEQUENCE {EMAILS} RESTART WITH 5000"), 5000),
        (format!("SELECT setval('{EMAILS}', 5000)"), 5001),
        (format!("ALTER SEQUENCE {EMAILS} MINVALUE -9000 RESTART WITH -8000"), -8000),
        (format!("ALTER SEQUENCE {EMAILS} AS integer"), 1),
        (format!("ALTER SEQUENCE {EMAILS} RENAME TO \"Odd 'name'\""), 1),
    ] {
        let (store, _) = load_all(&of_owner).await;
        let name = if of_owner.contains("Odd") { "\"Odd ''name''\"" } else { EMAILS };
        let [least, most, count, next] = emails(&store, name).await;
        assert_eq!([least, most, next], [first, first + count - 1, first + count], "{of_owner}");
    }
}

/// There is room for the blocks of the first transactions, and none for one of those after them.
#[tokio::test]
async fn a_sequence_near_its_end() {
    let input = valid(700);
    let store = store("ids", "", &input);
    let run = load_bulk(&store, &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let [_, _, count, _] = emails(&store, EMAILS).await;
    let (store, _) = load_all(&format!("ALTER SEQUENCE {EMAILS} MAXVALUE {count}")).await;
    let most = "SELECT max(id)::text FROM customer_profile_emails";
    assert_eq!(texts(&store.connect().await, most).await, [count.to_string()]);

    let documents: Vec<_> = (0..300).map(|number| document(number, &[])).collect();
    let maxvalue = format!("ALTER SEQUENCE {EMAILS} MAXVALUE 250");
    let short = super::store("ids", &maxvalue, &ndjson(&documents));
    let run = load_bulk(&short, &[]);
    let [inserted, .., rejected] = run.counts();
    assert!(run.code == Some(1) && inserted > 50 && rejected >= 50, "{:?} {}", run.counts(), run.stderr);
    let whole = "SELECT count(*)::text FROM customer_profiles AS p
                 JOIN customer_profile_emails AS e ON e.customer_profile_id = p.id";
    assert_eq!(texts(&short.connect().await, whole).await, [inserted.to_string()]);
}

/// What is not the column's own sequence, counting up by one, keeps numbering the rows.
#[tokio::test]
async fn ids_that_the_server_gives() {
    let identity = |kind: &str| {
        format!(
            "ALTER TABLE customer_profile_emails ALTER id DROP DEFAULT;
             DROP SEQUENCE {EMAILS};
             ALTER TABLE customer_profile_emails ALTER id ADD GENERATED {kind} AS IDENTITY"
        )
    };
    for (of_owner, least) in [
        (identity("ALWAYS"), 1),
        (identity("BY DEFAULT"), 1),
        (format!("ALTER SEQUENCE {EMAILS} INCREMENT 2"), 1),
        (format!("ALTER SEQUENCE {EMAILS} CYCLE"), 1),
        (format!("ALTER SEQUENCE {EMAILS} OWNED BY NONE"), 1),
        (
            "CREATE SEQUENCE other START 70;
             ALTER TABLE customer_profile_emails ALTER id SET DEFAULT nextval('other')"
                .to_owned(),
            70,
        ),
        (
            format!(
                "CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql
                     AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
                 CREATE EVENT TRIGGER forbid ON ddl_command_start WHEN TAG IN ('ALTER SEQUENCE')
                     EXECUTE FUNCTION forbid(); SELECT setval('{EMAILS}', 8)"
            ),
            9,
        ),
    ] {
        let (store, _) = load_all(&of_owner).await;
        let client = store.connect().await;
        let found = "SELECT min(id) || ' ' || (count(DISTINCT id) = count(*)) FROM customer_profile_emails";
        assert_eq!(texts(&client, found).await, [format!("{least} true")], "{of_owner}");
    }
}

/// Whoever has taken a next value holds the sequence to the end of the transaction.
#[tokio::test]
async fn a_session_that_holds_a_sequence() {
    let input = valid(400);
    let store = store("ids", "", &input);
    let mut other = store.connect().await;
    let transaction = other.transaction().await.expect("it begins");
    let next = format!("SELECT nextval('{EMAILS}')");
    transaction.query_one(&next, &[]).await.expect("it has a next value");
    let output = attempt(&store, &["--strategy", "bulk", "--chunk-bytes", "4000", "--batch-bytes", "130000"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("are given by the server, one by one"), "{}", output.stderr);
    transaction.commit().await.expect("it commits");
    assert_stored(&store.connect().await, document_lines(&input).into_iter().map(|(_, line)| line)).await;
    let ids = "SELECT min(id)::text FROM customer_profile_emails";
    assert_eq!(texts(&store.connect().await, ids).await, ["2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_take_ids_meanwhile_get_others() {
    let input = valid(3000);
    let store = Arc::new(store("ids", "", &input));
    let (is_over, loading) = (Arc::new(AtomicBool::new(false)), Arc::clone(&store));
    let ends = Arc::clone(&is_over);
    let load = thread::spawn(move || {
        let run = load_bulk(&loading, &[]);
        ends.store(true, Ordering::Relaxed);
        run
    });
    let client = store.connect().await;
    client.batch_execute("CREATE TABLE taken (id bigint)").await.expect("it can be made");
    let take = format!("INSERT INTO taken SELECT nextval('{EMAILS}') FROM generate_series(1, 7)");
    while !is_over.load(Ordering::Relaxed) {
        client.batch_execute(&take).await.expect("there are next values");
    }
    let run = load.join().expect("the load does not panic");
    assert_eq!((run.code, run.counts()[0]), (Some(0), 3000), "{}", run.stderr);
    let twice = "SELECT count(*)::text FROM (
                     SELECT id FROM customer_profile_emails UNION ALL SELECT id FROM taken
                 ) AS ids GROUP BY id HAVING count(*) > 1";
    assert!(texts(&client, twice).await.is_empty());
}

/// The documents around one that is refused are sent again, with the same ids.
#[tokio::test]
async fn documents_that_are_refused_leave_gaps_at_most() {
    let mut documents: Vec<_> = (0..400).map(|number| document(number, &[])).collect();
    for number in [3, 200, 201, 399] {
        documents[number]["firstName"] = json!("Checked");
    }
    let rule = "ALTER TABLE customer_profiles ADD CONSTRAINT ck_owner CHECK (first_name <> 'Checked')";
    let store = store("ids", rule, &ndjson(&documents));
    let run = load_bulk(&store, &[]);
    assert_eq!((run.code, run.counts()[0]), (Some(1), 396), "{}", run.stderr);
    let [_, most, count, next] = emails(&store, EMAILS).await;
    assert_eq!(count, 396);
    assert!(most < 1000 && next > most, "{most} {next}");
}
