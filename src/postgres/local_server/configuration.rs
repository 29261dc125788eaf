//! The settings of the private server: durable, closed to the network, sized by the machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The server has no TCP port; the number is part of the socket's name.
pub(super) const PORT: u16 = 5432;

/// The kernel takes 107 bytes for a socket's path, 103 on macOS; `/.s.PGSQL.5432` is part of it.
const SOCKET_DIR_BYTES_MAX: usize = 88;

const MIB: u64 = 1 << 20;

/// DIR/socket, or, where that path is too long or can't be written into a list of folders, a folder of the
/// same user below the temporary one. The same `dir` always gets the same.
pub(super) fn socket_dir(dir: &Path) -> PathBuf {
    let inside = dir.join("socket");
    if fits(&inside) {
        return inside;
    }
    let name = format!("profile-loader-{}", &blake3::hash(dir.as_os_str().as_encoded_bytes()).to_hex()[..16]);
    let temporary = env::temp_dir().join(&name);
    if fits(&temporary) { temporary } else { Path::new("/tmp").join(name) }
}

/// The text of profile_loader.conf. Durable, because what was loaded counts as loaded. Terse, because
/// PostgreSQL would quote rows of customers in its log otherwise.
pub(super) fn settings(socket_dir: &Path, memory_bytes: Option<u64>) -> String {
    let memory = memory_bytes.unwrap_or(0);
    let shared_buffers_mib = (memory / 4 / MIB).clamp(128, 1024);
    let maintenance_work_mem_mib = (memory / 32 / MIB).clamp(64, 512);
    format!(
        "# Written by profile-loader at each start. Settings of your own go to the end of postgresql.conf.
listen_addresses = ''
port = {PORT}
unix_socket_directories = '{}'
unix_socket_permissions = 0700
max_connections = 100
fsync = on
synchronous_commit = on
full_page_writes = on
shared_buffers = {shared_buffers_mib}MB
maintenance_work_mem = {maintenance_work_mem_mib}MB
max_wal_size = 4GB
log_error_verbosity = terse
log_min_error_statement = panic
",
        socket_dir.display()
    )
}

/// The memory of the machine, or less where a control group grants less; none where neither is known.
pub(super) fn memory_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_bytes(&text));
    let group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
    machine.into_iter().chain(group).min()
}

fn total_bytes(meminfo: &str) -> Option<u64> {
    let kib = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    kib.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn fits(socket_dir: &Path) -> bool {
    let plain = |path: &str| !path.contains(|c: char| c.is_control() || "'\"\\,".contains(c));
    socket_dir.as_os_str().len() <= SOCKET_DIR_BYTES_MAX && socket_dir.to_str().is_some_and(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_stays_in_the_folder_where_its_path_permits() {
        let check = |dir: &str, inside: bool| {
            let socket_dir = socket_dir(Path::new(dir));
            assert_eq!(socket_dir.starts_with(dir), inside, "{dir}");
            assert!(fits(&socket_dir), "{dir}");
        };
        check("/srv/loader", true);
        check("/Users/a/Application Support", true);
        check(&format!("/{}", "x".repeat(80)), true);
        check(&format!("/{}", "x".repeat(81)), false);
        check("/a,b", false);
        check("/it's", false);
        check("/back\\slash", false);
    }

    #[test]
    fn folders_apart_have_sockets_apart() {
        let long = "x".repeat(100);
        let of = |name: &str| socket_dir(Path::new(&format!("/{long}/{name}")));
        assert_eq!(of("a"), of("a"));
        assert_ne!(of("a"), of("b"));
    }

    #[test]
    fn buffers_grow_with_memory_between_bounds() {
        let check = |gib: Option<u64>, buffers: &str, maintenance: &str| {
            let text = settings(Path::new("/s"), gib.map(|gib| gib << 30));
            assert!(text.contains(&format!("\nshared_buffers = {buffers}\n")), "{text}");
            assert!(text.contains(&format!("\nmaintenance_work_mem = {maintenance}\n")), "{text}");
        };
        check(None, "128MB", "64MB");
        check(Some(2), "512MB", "64MB");
        check(Some(8), "1024MB", "256MB");
        check(Some(512), "1024MB", "512MB");
    }

    #[test]
    fn the_machines_memory_is_read() {
        let check = |meminfo: &str, expected| assert_eq!(total_bytes(meminfo), expected);
        check("MemTotal:       24610508 kB\nMemFree: 1 kB\n", Some(24_610_508 * 1024));
        check("MemFree: 1 kB\n", None);
        check("MemTotal: lots\n", None);
    }
}
