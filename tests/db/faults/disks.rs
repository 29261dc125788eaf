//! Full disks: the server's, and that of the reject files and the report.

use std::{fs, time::Duration};

use crate::{
    cases::{case, server},
    faults::{FaultClass, Loader, Shape, SmallDisk, load_command},
};

/// What the server's disk has left when the load begins: not enough for it.
const ROOM_BYTES: u64 = 400 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_servers_disk_is_full() {
    for (on_existing, db_wait, code) in [("reject", "60s", 1), ("update", "1s", 4)] {
        let case = case(Shape::Many, on_existing).await;
        let mut class = FaultClass::new(format!("server's disk full, --db-wait {db_wait} ({on_existing})"));
        let store = case.store();
        let disk_name = format!("disk-{on_existing}");
        let folder = server().folder(&disk_name);
        let disk = SmallDisk::mount(&folder, 64 << 20);
        server().owns_folder(&disk_name);
        let (space, name) = (format!("small_{on_existing}"), &store.database.name);
        server().execute(format!("CREATE TABLESPACE {space} LOCATION '{}'", folder.display()));
        server().execute(format!("ALTER DATABASE {name} SET TABLESPACE {space}"));
        disk.fill_but(ROOM_BYTES);
        let options = case.options_with("--db-wait", db_wait);
        let mut loader = Loader::start(&store, &server().tcp_url(&store.database), &options);
        loader.says("53100");
        if code == 1 {
            disk.free();
        }
        let ended = loader.end();
        if code == 4 {
            disk.free();
        }
        class.injected(ended.code() == Some(code));
        class.judge(&case, &store, ended).await;
        case.leave(&store);
        server().execute(format!("ALTER DATABASE {name} SET TABLESPACE pg_default"));
        server().execute(format!("DROP TABLESPACE {space}"));
        class.tell();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_disk_of_the_reject_files_is_full() {
    for on_existing in ["reject", "update"] {
        let case = case(Shape::Many, on_existing).await;
        let mut class = FaultClass::new(format!("disk of the reject files full ({on_existing})"));
        let store = case.store();
        let folder = store.path("rejects");
        fs::create_dir(&folder).expect("the folder is writable");
        let disk = SmallDisk::mount(&folder, 4 << 20);
        disk.fill_but(8192);
        let url = server().tcp_url(&store.database);
        let ended = Loader::of(&store, load_command(&store, &url, &case.options))
            .ends_within(Duration::from_secs(30));
        class.injected(ended.code() == Some(4));
        assert!(ended.stderr.contains("free space"), "{}", ended.stderr);
        disk.free();
        let ended = case.load(&store);
        class.judge(&case, &store, ended).await;
        class.tell();
    }
}
