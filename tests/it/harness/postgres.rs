//! A real PostgreSQL for one test: a cluster of its own in a temporary folder, reached over a socket there. Also part
//! of the package's unit tests.

use std::io::{Read, Write};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest wait for the server to come up or to go; a busy machine needs seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster; the server ends with it, also when the test's process is killed.
pub(crate) struct Cluster {
    dir: TempDir,
    programs: PathBuf,
    /// The user and group that run it: PostgreSQL refuses to run as root.
    user: Option<(u32, u32)>,
    server: Option<Child>,
}

impl Cluster {
    /// Makes a cluster and starts it. TLS is on when there are a certificate and a key (PEM).
    pub(crate) fn start(tls: Option<(&str, &str)>) -> Self {
        let dir = tempfile::Builder::new().prefix("callgate-pg-").tempdir().expect("a folder");
        let user = unprivileged();
        if let Some((uid, gid)) = user {
            chown(dir.path(), Some(uid), Some(gid)).expect("given away");
        }
        let mut cluster = Self { dir, programs: programs(), user, server: None };
        let made = cluster
            .command("initdb")
            .args(["--auth=trust", "--username=postgres", "--no-sync", "--locale=C", "--encoding=UTF8", "-D"])
            .arg(cluster.data())
            .output()
            .expect("initdb starts");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        if let Some((certificate, key)) = tls {
            cluster.write("server.crt", certificate);
            cluster.write("server.key", key);
        }
        cluster.up();
        cluster
    }

    fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.data().join(name);
        let mut options = std::fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&path).expect("opened");
        file.write_all(text.as_bytes()).expect("written");
        if let Some((uid, gid)) = self.user {
            chown(&path, Some(uid), Some(gid)).expect("given away");
        }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        self.drop_rights(&mut command);
        command
    }

    fn drop_rights(&self, command: &mut Command) {
        command.current_dir(self.dir.path());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
    }

    /// Starts the server again, with everything that was in it.
    pub(crate) fn up(&mut self) {
        // The shell outlives nobody: when the pipe of the test closes it ends the server at once.
        let mut command = Command::new("/bin/sh");
        self.drop_rights(&mut command);
        let script = "\"$@\" & p=$!; cat >/dev/null; kill -QUIT $p; wait $p";
        let tls = self.data().join("server.crt").exists();
        command.args(["-c", script, "sh"]).arg(self.programs.join("postgres")).arg("-D").arg(self.data());
        command.arg("-k").arg(self.dir.path()).args(["-F", "-c", "listen_addresses="]);
        command.args(["-c", "dynamic_shared_memory_type=mmap", "-c", "max_connections=40"]);
        command.args(["-c", if tls { "ssl=on" } else { "ssl=off" }]);
        if tls {
            command.args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={}", self.port())]);
        }
        let log = std::fs::File::create(self.dir.path().join("log")).expect("a log");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        self.server = Some(command.spawn().expect("a shell"));
        let end = Instant::now() + PATIENCE;
        while !self.psql("SELECT 1").status.success() {
            assert!(Instant::now() < end, "PostgreSQL does not come up: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A port that is this cluster's own; only used when TLS is tested, which a socket file does not carry.
    pub(crate) fn port(&self) -> u16 {
        let file = self.dir.path().join("port");
        if let Some(port) = std::fs::read_to_string(&file).ok().and_then(|text| text.parse().ok()) {
            return port;
        }
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        std::fs::write(file, port.to_string()).expect("kept");
        port
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// `kill -9` for the server; returns when it and the processes that serve its connections are gone.
    pub(crate) fn kill(&mut self) {
        let serving = self.sql("SELECT pid FROM pg_stat_activity");
        let pid = std::fs::read_to_string(self.data().join("postmaster.pid")).expect("it runs");
        let pid = pid.lines().next().unwrap_or_default().to_owned();
        let killed = Command::new("kill").args(["-9", &pid]).status().expect("kill runs");
        assert!(killed.success());
        self.end();
        let end = Instant::now() + PATIENCE;
        let remains = || serving.lines().any(|pid| Path::new("/proc").join(pid).exists());
        while remains() || self.psql("SELECT 1").status.success() {
            assert!(Instant::now() < end, "PostgreSQL does not go");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn end(&mut self) {
        if let Some(mut server) = self.server.take() {
            drop(server.stdin.take());
            let _ = server.wait();
        }
    }

    /// The address of the database over the socket.
    pub(crate) fn url(&self) -> String {
        let folder = self.dir.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{folder}:{}/postgres", self.socket_port())
    }

    fn socket_port(&self) -> u16 {
        if self.data().join("server.crt").exists() { self.port() } else { 5432 }
    }

    /// Runs statements as the database's owner; panics with what went wrong.
    pub(crate) fn sql(&self, statements: &str) -> String {
        let done = self.psql(statements);
        assert!(done.status.success(), "{statements}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    fn psql(&self, statements: &str) -> std::process::Output {
        let mut command = self.command("psql");
        command.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "postgres",
            "-d",
            "postgres",
            "-h",
        ]);
        command.arg(self.dir.path()).args(["-p", &self.socket_port().to_string(), "-f", "-"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("psql starts");
        let _ = child.stdin.take().expect("piped").write_all(statements.as_bytes());
        child.wait_with_output().expect("psql ends")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end();
    }
}

/// The folder of the server's programs: where `initdb` is in `PATH`, or Debian's place with the newest version.
fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(folder) = std::env::split_paths(&path).find(|folder| is_complete(folder)) {
        return folder;
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| is_complete(folder))
        .collect();
    folders.sort();
    folders.pop().map(|(_, folder)| folder).unwrap_or_else(|| {
        panic!(
            "PostgreSQL's programs (initdb, postgres, psql) are missing; run scripts/test, or install them (on \
             Debian: apt-get install postgresql)"
        )
    })
}

fn is_complete(folder: &Path) -> bool {
    ["initdb", "postgres", "psql"].iter().all(|program| folder.join(program).exists())
}

/// The user `postgres`, or `nobody`, when this is root.
fn unprivileged() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    if std::fs::metadata("/proc/self").map_or(1, |me| me.uid()) != 0 {
        return None;
    }
    let mut text = String::new();
    std::fs::File::open("/etc/passwd").and_then(|mut file| file.read_to_string(&mut text)).expect("users");
    let ids = |name: &str| {
        let line = text.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(ids("postgres").or_else(|| ids("nobody")).expect("a user that is not root"))
}
