//! The proxy in front of a real server: it changes nothing by itself, and each fault does what it is told, at
//! the message it is told, once.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::SinkExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_postgres::{Client, Config, NoTls};

use crate::{
    cases::server,
    faults::{Action, Fault, Moment, Proxy, Refusal, Side},
    support::{Database, texts},
};

const ONE: &str = "SELECT 'one'";

/// Enough for words that come to come, where the test is that they do not.
const A_WHILE: Duration = Duration::from_millis(200);

/// A table `t` behind a proxy.
struct Scene {
    database: Database,
    proxy: Proxy,
}

impl Scene {
    fn new() -> Self {
        let database = server().database("proxy");
        database.execute("CREATE TABLE t (word text)");
        Self { database, proxy: Proxy::start(server().address()) }
    }

    async fn try_connect(&self) -> Result<Client, tokio_postgres::Error> {
        let url = format!("{}?application_name=profile-loader", self.proxy.url(&self.database.name));
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn connect(&self) -> Client {
        self.try_connect().await.expect("the proxy lets it through")
    }

    async fn words(&self) -> Vec<String> {
        texts(&self.database.connect().await, "SELECT word FROM t ORDER BY 1").await
    }

    /// Sessions that came through the proxy, as the server has them.
    fn sessions(&self) -> usize {
        let sql = format!(
            "SELECT pid::text FROM pg_stat_activity
             WHERE application_name = 'profile-loader' AND datname = '{}'",
            self.database.name
        );
        server().texts(&sql).len()
    }

    async fn no_session_is_left(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.sessions() > 0 {
            assert!(Instant::now() < deadline, "the server has heard of no end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The program's side of a transaction that inserts a word.
async fn insert(client: &Client, word: &str) -> Result<(), tokio_postgres::Error> {
    client.batch_execute("BEGIN").await?;
    client.batch_execute(&format!("INSERT INTO t VALUES ('{word}')")).await?;
    client.batch_execute("COMMIT").await
}

fn spawn_query(client: Client, sql: &'static str) -> JoinHandle<Result<(), tokio_postgres::Error>> {
    tokio::spawn(async move { client.batch_execute(sql).await })
}

async fn fires(fault: &Fault) {
    let fault = fault.clone();
    let fired = tokio::task::spawn_blocking(move || fault.fires_unless(|| false)).await;
    assert!(fired.expect("it is waited for"));
}

#[tokio::test]
async fn without_faults_nothing_changes_and_all_is_counted() {
    let scene = Scene::new();
    let client = scene.connect().await;
    insert(&client, "one").await.expect("it passes");
    let sink = client.copy_in::<_, Bytes>("COPY t FROM STDIN").await.expect("COPY begins");
    let mut sink = pin!(sink);
    let row = Bytes::from([&vec![b'x'; 999_999][..], b"\n"].concat());
    for _ in 0..5 {
        sink.send(row.clone()).await.expect("it passes");
    }
    assert_eq!(sink.finish().await.expect("COPY ends"), 5);
    let back = texts(&client, "SELECT word FROM t WHERE length(word) = 999999").await;
    assert_eq!(back.len(), 5, "large messages pass in both directions");
    let counts = scene.proxy.counts();
    assert_eq!((counts.connections, counts.commits, counts.commit_answers), (1, 1, 1));
    assert!(counts.bytes.iter().all(|bytes| *bytes > 5_000_000), "{counts:?}");
    assert!(counts.messages.iter().all(|messages| (20..200).contains(messages)), "{counts:?}");
    drop(client);
    scene.no_session_is_left().await;
}

/// `SSLRequest` and its answer have no type byte; the conversation goes on after them.
#[tokio::test]
async fn a_refused_wish_for_encryption_passes() {
    let scene = Scene::new();
    let config: Config = scene.proxy.url(&scene.database.name).parse().expect("the URL is well-formed");
    let mut stream = TcpStream::connect(("127.0.0.1", config.get_ports()[0])).await.expect("it listens");
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await.expect("it reads");
    assert_eq!(stream.read_u8().await.expect("the server answers"), b'N');
    let (client, connection) = config.connect_raw(stream, NoTls).await.expect("without, then");
    tokio::spawn(connection);
    let fault = scene.proxy.arm(Moment::Kind(Side::Frontend, b'Q', 1), Action::CutBefore);
    assert!(client.simple_query(ONE).await.is_err() && fault.has_fired());
}

#[tokio::test]
async fn what_one_side_ends_ends_for_the_other() {
    let scene = Scene::new();
    let client = scene.connect().await;
    assert_eq!(server().terminate_loaders(&scene.database), 1);
    assert!(client.simple_query(ONE).await.is_err());
    let client = scene.connect().await;
    // The driver's end is the program's end.
    drop(client);
    scene.no_session_is_left().await;
    let client = scene.connect().await;
    let database = &scene.database;
    drop(scene.proxy);
    assert!(client.simple_query(ONE).await.is_err(), "all connections end with the proxy");
    assert_eq!(texts(&database.connect().await, ONE).await, ["one"]);
}

/// The server has the words that it was sent before the cut, and no others.
async fn check_cut(moment: Moment, action: Action, expected: &[&str]) {
    let scene = Scene::new();
    let client = scene.connect().await;
    insert(&client, "first").await.expect("no fault is armed");
    let fault = scene.proxy.arm(moment, action);
    assert!(!fault.has_fired());
    assert!(insert(&client, "second").await.is_err(), "{moment:?} {action:?}");
    assert!(fault.has_fired());
    scene.no_session_is_left().await;
    assert_eq!(scene.words().await, expected, "{moment:?} {action:?}");
    // Once is enough.
    let client = scene.connect().await;
    insert(&client, "third").await.expect("a fault fires once");
}

#[tokio::test]
async fn connections_are_cut_at_the_message_that_is_named() {
    use Action::{CutAfter, CutBefore};
    use Side::{Backend, Frontend};
    let (without, with) = (&["first"][..], &["first", "second"][..]);
    for (moment, action, expected) in [
        (Moment::Commit(1), CutBefore, without),
        (Moment::Commit(1), CutAfter, with),
        (Moment::CommitAnswer(1), CutBefore, with),
        // COMMIT was done; that the session is ready again is not heard.
        (Moment::CommitAnswer(1), CutAfter, with),
        // BEGIN, INSERT, COMMIT.
        (Moment::Message(Frontend, 3), CutBefore, without),
        (Moment::Message(Frontend, 3), CutAfter, with),
        (Moment::Message(Frontend, 2), CutAfter, without),
        (Moment::Kind(Frontend, b'Q', 3), CutBefore, without),
        // BEGIN, ready, INSERT 0 1, ready, COMMIT, ready.
        (Moment::Message(Backend, 5), CutBefore, with),
        (Moment::Message(Backend, 4), CutBefore, without),
        (Moment::Kind(Backend, b'C', 2), CutAfter, without),
        (Moment::Kind(Backend, b'Z', 3), CutBefore, with),
        // "Q", length, "BEGIN", 0: then a part of the second header, all but the end of it, all of the last.
        (Moment::Byte(Frontend, 11 + 3), CutBefore, without),
        (Moment::Byte(Frontend, 11 + 37 + 11), CutBefore, without),
        (Moment::Byte(Frontend, 11 + 37 + 12), CutBefore, with),
        (Moment::Byte(Backend, 1), CutAfter, without),
    ] {
        check_cut(moment, action, expected).await;
    }
}

#[tokio::test]
async fn an_orphan_lives_on_at_the_server() {
    let scene = Scene::new();
    let client = scene.connect().await;
    let fault = scene.proxy.arm(Moment::Commit(1), Action::Orphan);
    assert!(insert(&client, "lost").await.is_err());
    assert!(fault.has_fired());
    drop(client);
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(scene.sessions(), 1, "the server has not heard of it");
    assert_eq!(server().terminate_loaders(&scene.database), 1);
    assert!(scene.words().await.is_empty());
}

#[tokio::test]
async fn a_stalled_connection_stays_and_says_nothing() {
    let scene = Scene::new();
    let (client, other) = (scene.connect().await, scene.connect().await);
    let fault = scene.proxy.arm(Moment::Kind(Side::Backend, b'D', 1), Action::Stall);
    let query = spawn_query(client, ONE);
    fires(&fault).await;
    tokio::time::sleep(A_WHILE).await;
    assert!(!query.is_finished(), "neither an answer nor an end");
    assert_eq!(texts(&other, ONE).await, ["one"], "other connections go on");
    query.abort();
    assert!(query.await.is_err_and(|error| error.is_cancelled()));
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(scene.sessions(), 2, "the server has not heard of the end");
    drop(other);
    drop(scene.proxy);
    let gone = "SELECT 'gone' WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = '@')";
    server().wait_for(&gone.replace('@', &scene.database.name));
}

#[tokio::test]
async fn a_message_that_is_held_comes_later_and_in_order() {
    for (moment, words) in
        [(Moment::Commit(1), 0), (Moment::CommitAnswer(1), 1), (Moment::Byte(Side::Frontend, 40), 0)]
    {
        let scene = Scene::new();
        let client = scene.connect().await;
        let fault = scene.proxy.arm(moment, Action::Hold);
        let sql = "BEGIN; INSERT INTO t VALUES ('held'); COMMIT";
        let query = tokio::spawn(async move {
            client.batch_execute(sql).await?;
            client.batch_execute("INSERT INTO t VALUES ('later')").await
        });
        fires(&fault).await;
        tokio::time::sleep(A_WHILE).await;
        assert!(!query.is_finished());
        assert_eq!(scene.words().await.len(), words, "{moment:?}");
        fault.release();
        query.await.expect("no panic").expect("it goes on as if nothing had been");
        assert_eq!(scene.words().await, ["held", "later"]);
    }
}

#[tokio::test]
async fn who_leaves_while_a_message_is_held_is_missed() {
    for moment in [Moment::Commit(1), Moment::CommitAnswer(1)] {
        let scene = Scene::new();
        let url = format!("{}?application_name=profile-loader", scene.proxy.url(&scene.database.name));
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("it passes");
        let program = tokio::spawn(connection);
        let fault = scene.proxy.arm(moment, Action::Hold);
        client.batch_execute("BEGIN; INSERT INTO t VALUES ('held')").await.expect("no COMMIT yet");
        let query = spawn_query(client, "COMMIT");
        fires(&fault).await;
        // Its socket is closed, as that of a process that is killed.
        program.abort();
        scene.no_session_is_left().await;
        assert!(query.await.expect("no panic").is_err());
        let committed = moment == Moment::CommitAnswer(1);
        assert_eq!(scene.words().await.len(), usize::from(committed), "what is held never arrives");
    }
}

#[tokio::test]
async fn connections_are_turned_away_as_often_as_told() {
    let scene = Scene::new();
    scene.proxy.turn_away(2, Refusal::Close);
    for _ in 0..2 {
        assert!(scene.try_connect().await.is_err_and(|error| error.code().is_none()));
    }
    scene.connect().await;
    scene.proxy.turn_away(1, Refusal::Error("57P03"));
    let error = scene.try_connect().await.expect_err("it is turned away");
    assert_eq!(error.code().map(tokio_postgres::error::SqlState::code), Some("57P03"));
    scene.connect().await;
    assert_eq!((scene.proxy.counts().turned_away, scene.proxy.counts().connections), (3, 2));
}

#[tokio::test]
async fn a_connection_may_meet_silence() {
    let scene = Scene::new();
    scene.proxy.turn_away(1, Refusal::Silence);
    let mut silent = TcpStream::connect(("127.0.0.1", scene.proxy.port())).await.expect("it is accepted");
    silent.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await.expect("it may speak");
    scene.connect().await;
    scene.proxy.turn_away(u64::MAX, Refusal::Silence);
    let answer = tokio::time::timeout(A_WHILE, scene.try_connect()).await;
    assert!(answer.is_err(), "nobody answers, however many come");
    scene.proxy.let_through();
    scene.connect().await;
    assert_eq!((scene.proxy.counts().turned_away, scene.proxy.counts().connections), (2, 2));
    let answer = tokio::time::timeout(A_WHILE, silent.read_u8()).await;
    assert!(answer.is_err(), "those that met silence meet it still");
    drop(scene.proxy);
    assert!(silent.read_u8().await.is_err(), "all connections end with the proxy");
}

#[tokio::test]
async fn a_connection_fails_with_an_error_of_the_server() {
    for (moment, expected) in [
        (Moment::Message(Side::Frontend, 2), &["first"][..]),
        (Moment::CommitAnswer(1), &["first", "second"]),
    ] {
        let scene = Scene::new();
        let client = scene.connect().await;
        insert(&client, "first").await.expect("no fault is armed");
        let fault = scene.proxy.arm(moment, Action::Fail("25P03"));
        let error = insert(&client, "second").await.expect_err("the server ends the session");
        assert_eq!(error.code().map(tokio_postgres::error::SqlState::code), Some("25P03"), "{moment:?}");
        assert!(fault.has_fired() && client.batch_execute("").await.is_err());
        scene.no_session_is_left().await;
        assert_eq!(scene.words().await, expected, "{moment:?}");
    }
}

#[tokio::test]
async fn a_fault_may_wait_for_another() {
    let scene = Scene::new();
    let first = scene.proxy.arm(Moment::Kind(Side::Frontend, b'Q', 3), Action::CutBefore);
    let second = scene.proxy.arm_after(&first, Moment::Kind(Side::Frontend, b'Q', 2), Action::CutBefore);
    let client = scene.connect().await;
    assert!(insert(&client, "lost").await.is_err() && first.has_fired());
    let client = scene.connect().await;
    client.batch_execute(ONE).await.expect("it is the first since then");
    assert!(!second.has_fired());
    assert!(client.batch_execute(ONE).await.is_err() && second.has_fired());
}

#[tokio::test]
async fn a_slow_connection_takes_its_time() {
    let scene = Scene::new();
    let client = scene.connect().await;
    assert_eq!(scene.proxy.counts().delayed, Duration::ZERO);
    scene.proxy.slow_down(Some(100_000));
    let started = Instant::now();
    let row = texts(&client, "SELECT repeat('x', 20000)").await;
    assert_eq!(row[0].len(), 20_000);
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert!(scene.proxy.counts().delayed >= Duration::from_millis(200));
    scene.proxy.slow_down(None);
    let delayed = scene.proxy.counts().delayed;
    assert_eq!(texts(&client, ONE).await, ["one"]);
    assert_eq!(scene.proxy.counts().delayed, delayed);
}
