//! Several hosts in one URL: each is tried for as long as one attempt may take, in their order, as in libpq.

use std::{
    thread,
    time::{Duration, Instant},
};

use tokio::net::TcpSocket;

use super::{CONNECT_WITHIN, quick_load};
use crate::{
    cases::{case, server},
    faults::{Case, FaultClass, Loader, Proxy, Refusal, Shape, load_command},
    support::Store,
};

/// For the program to start and the server to answer on a busy machine.
const SLACK: Duration = Duration::from_secs(5);

fn silent() -> Proxy {
    let proxy = Proxy::start(server().address());
    proxy.turn_away(u64::MAX, Refusal::Silence);
    proxy
}

/// How hosts are named.
type Form = fn([u16; 3], &str) -> String;

/// A port at which connections are refused for as long as the value lives.
fn refusing() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().expect("a socket can be made");
    socket.bind("127.0.0.1:0".parse().expect("it is an address")).expect("some port is free");
    let port = socket.local_addr().expect("it is bound").port();
    (socket, port)
}

fn url(ports: [u16; 3], database: &str) -> String {
    let hosts = ports.map(|port| format!("127.0.0.1:{port}")).join(",");
    format!("postgresql://postgres@{hosts}/{database}")
}

fn keywords(ports: [u16; 3], database: &str) -> String {
    let ports = ports.map(|port| port.to_string()).join(",");
    format!("host=127.0.0.1,127.0.0.1,127.0.0.1 port={ports} user=postgres dbname={database}")
}

/// The alive one is met after no more than the time of the silent ones.
async fn reaches(
    class: &mut FaultClass,
    case: &Case,
    [silent, alive]: [&[&Proxy]; 2],
    within: Duration,
    start: impl FnOnce(&Store) -> Loader,
) {
    let store = case.store();
    let started = Instant::now();
    let mut loader = start(&store);
    while alive[0].counts().connections == 0 {
        assert!(!loader.has_ended(), "{}", loader.stderr());
        assert!(started.elapsed() < within + SLACK, "the last host is not reached: {}", loader.stderr());
        thread::sleep(Duration::from_millis(5));
    }
    let ended = loader.end();
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    assert!(!ended.stderr.contains("--db-wait"), "nothing was waited for: {}", ended.stderr);
    class.injected(silent.iter().all(|proxy| proxy.counts().turned_away > 0));
    class.judge(case, &store, ended).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_third_of_three_hosts_is_reached() {
    let case = case(Shape::Few, "reject").await;
    let mut class = FaultClass::new("silent and refusing hosts before the one that answers (reject)");
    let forms: [Form; 2] = [url, keywords];
    for form in forms {
        let (first, second, alive) = (silent(), silent(), Proxy::start(server().address()));
        let proxies: [&[&Proxy]; 2] = [&[&first, &second], &[&alive]];
        reaches(&mut class, &case, proxies, CONNECT_WITHIN * 2, |store| {
            let url = form([first.port(), second.port(), alive.port()], &store.database.name);
            quick_load(&case, store, &url, "60s")
        })
        .await;
    }
    let ((_refusing, refused), second, alive) = (refusing(), silent(), Proxy::start(server().address()));
    reaches(&mut class, &case, [&[&second], &[&alive]], CONNECT_WITHIN, |store| {
        let url = url([refused, second.port(), alive.port()], &store.database.name);
        quick_load(&case, store, &url, "60s")
    })
    .await;
    class.tell();
}

/// In seconds, for each host; the program's own is twenty of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connect_timeout_counts_for_each_host() {
    let case = case(Shape::Few, "update").await;
    let mut class = FaultClass::new("silent hosts, connect_timeout=2 (update)");
    let (first, second, alive) = (silent(), silent(), Proxy::start(server().address()));
    reaches(&mut class, &case, [&[&first, &second], &[&alive]], Duration::from_secs(4), |store| {
        let url = url([first.port(), second.port(), alive.port()], &store.database.name);
        let mut command = load_command(store, &(url + "?connect_timeout=2"), &case.options);
        command.env("PROFILE_LOADER_CONNECT_WITHIN", "20s");
        Loader::of(store, command)
    })
    .await;
    class.tell();
}
