//! Full disks: the server's, while documents are copied and while indexes come back, and that of the reject files,
//! where the documents lie that are deferred.

use std::{fs, time::Duration};

use super::{COPYING, RESTORING};
use crate::{
    cases::{bulk_case, server},
    faults::{Action, FaultClass, Loader, Proxy, Shape, SmallDisk, load_command},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_servers_disk_is_full() {
    let case = bulk_case(Shape::Many, "update").await;
    let mut class = FaultClass::new("bulk: server's disk full (update)");
    for (disk_name, moment) in [("bulk-copying", COPYING[0]), ("bulk-restoring", RESTORING[0])] {
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        let folder = server().folder(disk_name);
        let disk = SmallDisk::mount(&folder, 64 << 20);
        server().owns_folder(disk_name);
        let name = &store.database.name;
        server().execute(format!("CREATE TABLESPACE \"{disk_name}\" LOCATION '{}'", folder.display()));
        server().execute(format!("ALTER DATABASE {name} SET TABLESPACE \"{disk_name}\""));
        let held = proxy.arm(moment, Action::Hold);
        let options = case.options_with("--watch-every", "20s");
        let mut loader = Loader::start(&store, &proxy.url(name), &options);
        assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
        disk.fill_but(0);
        held.release();
        loader.says("53100");
        disk.free();
        let ended = loader.end();
        class.injected(ended.code() == Some(1));
        class.judge(&case, &store, ended).await;
        case.leave(&store);
        server().execute(format!("ALTER DATABASE {name} SET TABLESPACE pg_default"));
        server().execute(format!("DROP TABLESPACE \"{disk_name}\""));
    }
    class.tell();
}

/// Room for nothing, for some of the rejected documents or those that are deferred, and for all of them, but not for
/// putting them together.
const ROOMS_BYTES: [u64; 3] = [8 << 10, 64 << 10, 160 << 10];

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_disk_of_the_reject_files_is_full() {
    let case = bulk_case(Shape::Many, "reject").await;
    let mut class = FaultClass::new("bulk: disk of the reject files full (reject)");
    for room_bytes in ROOMS_BYTES {
        let store = case.store();
        let folder = store.path("rejects");
        fs::create_dir(&folder).expect("the folder is writable");
        let disk = SmallDisk::mount(&folder, 4 << 20);
        disk.fill_but(room_bytes);
        let url = server().tcp_url(&store.database);
        let ended = Loader::of(&store, load_command(&store, &url, &case.options))
            .ends_within(Duration::from_secs(30));
        assert_eq!(ended.code(), Some(4), "with room for {room_bytes} bytes: {}", ended.stderr);
        class.injected(ended.stderr.contains("free space"));
        disk.free();
        let ended = case.load(&store);
        class.judge(&case, &store, ended).await;
    }
    class.tell();
}
