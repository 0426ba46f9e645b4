//! What a child gets, and what a person is told when there is no child.

use super::*;
use crate::settings::{Machine, Settings};
use std::ffi::OsString;
use std::io;

/// A launcher for backends in `json`, in an environment of `pairs`.
fn launcher(json: &str, pairs: &[(&str, &str)]) -> Launcher {
    let mut env: Environment =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
    let machine = Machine { host_name: None, home: Some(std::env::temp_dir()), unix_seconds: 0, random: 0 };
    env.insert("AXONFLOW_BACKENDS".into(), json.into());
    let no_file = |_: &Path| Err(io::Error::from(io::ErrorKind::NotFound));
    let settings = Settings::load_on(&machine, &env, &no_file).unwrap_or_else(|faults| panic!("{faults:#?}"));
    Launcher::new(&settings.backends, &env, Path::new("/nowhere"))
}

fn child(launcher: &Launcher, id: &str) -> ChildPlan {
    match launcher.plan(id) {
        Ok(Plan::Child(plan)) => plan,
        Ok(Plan::Http(_) | Plan::Streams(_)) => panic!("a child"),
        Err(error) => panic!("{error}"),
    }
}

fn error(launcher: &Launcher) -> String {
    launcher.plan("crm").expect_err("no plan").to_string()
}

#[test]
fn an_endpoint_keeps_its_headers_in_order() {
    let launcher = launcher(
        r#"[{"id":"crm","url":"https://x/mcp","headers":{"B":"2","A":"${TOKEN}"}}]"#,
        &[("TOKEN", "t")],
    );
    let Ok(Plan::Http(plan)) = launcher.plan("crm") else { panic!("an endpoint") };
    assert_eq!(plan.url, "https://x/mcp");
    assert_eq!(plan.headers, [("B".to_owned(), "2".to_owned()), ("A".to_owned(), "t".to_owned())]);
    assert_eq!(launcher.plan("none").expect_err("unknown").to_string(), "there is no backend \"none\"");
}

#[test]
fn line_breaks_do_not_reach_batch_files() {
    let args = ["-y".to_owned(), "a\nb".to_owned()];
    let told = check_batch_arguments(Path::new("npx.CMD"), &args).expect_err("a line break");
    assert!(told.starts_with("argument 1 has a line break"), "{told}");
    assert_eq!(check_batch_arguments(Path::new("npx.cmd"), &args[..1]), Ok(()));
    assert_eq!(check_batch_arguments(Path::new("node"), &args), Ok(()));
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A directory with the executable `tool` and the ordinary file `plain`.
    fn programs() -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, mode) in [("tool", 0o755), ("plain", 0o644)] {
            let path = directory.path().join(name);
            std::fs::write(&path, "#!/bin/sh\n").expect("written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
        }
        directory
    }

    #[test]
    fn w26_children_never_see_our_secrets() {
        let launcher = launcher(
            r#"[{"id":"crm","command":"sh","env":{"CRM_TOKEN":"${CRM_TOKEN}","NODE_OPTIONS":"--x"}}]"#,
            &[
                ("PATH", "/usr/bin:/bin"),
                ("HOME", "/home/ada"),
                ("LC_ALL", "C"),
                ("https_proxy", "http://proxy:1"),
                ("AXONFLOW_CLIENT_SECRET", "hunter2"),
                ("AXONFLOW_USER_TOKEN", "hunter2"),
                ("AAF_API_KEY", "hunter2"),
                ("axonflow_client_secret", "hunter2"),
                ("CALLGATE_LOG", "info"),
                ("CRM_TOKEN", "crm"),
                ("AWS_SECRET_ACCESS_KEY", "hunter2"),
                ("LD_PRELOAD", "/evil.so"),
            ],
        );
        let env = child(&launcher, "crm").env;
        assert_eq!(
            env.keys().map(String::as_str).collect::<Vec<_>>(),
            ["CRM_TOKEN", "HOME", "LC_ALL", "NODE_OPTIONS", "PATH", "https_proxy"]
        );
        assert!(env.values().all(|value| value != "hunter2"));
    }

    #[test]
    fn w26_even_a_declared_variable_of_ours_stays_out() {
        let stdio = StdioEntry {
            command: "sh".into(),
            args: Vec::new(),
            env: [("AXONFLOW_USER_TOKEN".to_owned(), crate::secret::Secret::new("hunter2"))].into(),
            cwd: None,
        };
        let entry = BackendEntry {
            id: "crm".into(),
            transport: Transport::Stdio(stdio),
            timeout: None,
            spare: Vec::new(),
            tools: crate::governance::ToolRules::default(),
            source: String::new(),
        };
        let env = Environment::from([("PATH".to_owned(), OsString::from("/usr/bin:/bin"))]);
        assert!(
            !child(&Launcher::new(&[entry], &env, Path::new("/nowhere")), "crm")
                .env
                .contains_key("AXONFLOW_USER_TOKEN")
        );
    }

    #[test]
    fn a_command_is_found_in_path_and_the_child_gets_the_same_path() {
        let programs = programs();
        let directory = programs.path().to_str().expect("UTF-8");
        let launcher = launcher(r#"[{"id":"crm","command":"tool","args":["a b"]}]"#, &[("PATH", directory)]);
        let plan = child(&launcher, "crm");
        assert_eq!(plan.program, programs.path().join("tool"));
        assert_eq!((plan.args, plan.cwd), (vec![OsString::from("a b")], None));
        assert_eq!(plan.env["PATH"], directory);
    }

    #[test]
    fn under_a_bare_path_commands_of_the_home_directory_are_found() {
        let home = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(home.path().join(".local")).expect("made");
        std::fs::rename(programs().keep(), home.path().join(".local/bin")).expect("moved");
        let home_text = home.path().to_str().expect("UTF-8");
        let launcher =
            launcher(r#"[{"id":"crm","command":"tool"}]"#, &[("PATH", "/usr/bin:/bin"), ("HOME", home_text)]);
        let plan = child(&launcher, "crm");
        assert_eq!(plan.program, home.path().join(".local/bin/tool"));
        assert!(plan.env["PATH"].to_string_lossy().contains(&format!("{home_text}/.local/bin")));
    }

    #[test]
    fn an_entrys_own_path_wins() {
        let programs = programs();
        let directory = programs.path().to_str().expect("UTF-8");
        let json = format!(r#"[{{"id":"crm","command":"tool","env":{{"PATH":"{directory}:${{PATH}}"}}}}]"#);
        let plan = child(&launcher(&json, &[("PATH", "/usr/bin")]), "crm");
        assert_eq!(plan.program, programs.path().join("tool"));
        assert_eq!(plan.env["PATH"], format!("{directory}:/usr/bin").as_str());
    }

    #[test]
    fn a_path_with_separators_is_taken_from_the_entrys_directory() {
        let programs = programs();
        let directory = programs.path().to_str().expect("UTF-8");
        let json = format!(r#"[{{"id":"crm","command":"./tool","cwd":"{directory}"}}]"#);
        let plan = child(&launcher(&json, &[("PATH", "/usr/bin")]), "crm");
        assert_eq!(plan.program, programs.path().join("tool"));
        assert_eq!(plan.cwd.as_deref(), Some(programs.path()));
    }

    #[test]
    fn what_cannot_be_started_is_told_with_a_way_out() {
        let programs = programs();
        let directory = programs.path().to_str().expect("UTF-8");
        for (entry, told) in [
            (
                r#""command":"no-such-tool""#.to_owned(),
                r#"backend "crm": command "no-such-tool" not found in PATH; set "command" to an absolute path"#
                    .to_owned(),
            ),
            (
                r#""command":"/no/such/tool""#.to_owned(),
                r#"backend "crm": command "/no/such/tool" does not exist; correct "command""#.to_owned(),
            ),
            (
                format!(r#""command":"{directory}/plain""#),
                format!(
                    r#"backend "crm": command "{directory}/plain" is not executable; make it so, or name its interpreter in "command""#
                ),
            ),
            (
                format!(r#""command":"{directory}""#),
                format!(r#"backend "crm": command "{directory}" is a directory; set "command" to a program"#),
            ),
            (
                format!(r#""command":"./none","cwd":"{directory}""#),
                format!(
                    r#"backend "crm": command "./none" does not exist at "{directory}/./none"; set "command" to an absolute path"#
                ),
            ),
            (
                r#""command":"sh","cwd":"/no/such/place""#.to_owned(),
                r#"backend "crm": working directory "/no/such/place" is not a directory; set "cwd" to one that exists"#
                    .to_owned(),
            ),
        ] {
            let launcher = launcher(&format!(r#"[{{"id":"crm",{entry}}}]"#), &[("PATH", "/usr/bin:/bin")]);
            assert_eq!(error(&launcher), told);
        }
    }
}
