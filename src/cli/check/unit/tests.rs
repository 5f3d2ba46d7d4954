use std::os::unix::fs::PermissionsExt;

use super::*;

/// A root with a unit, its user, and a configuration beside its watchlist.
fn root(unit: &str) -> (tempfile::TempDir, Config) {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    for folder in ["etc/systemd/system", "etc/soundwatch", "var"] {
        std::fs::create_dir_all(at(folder)).unwrap();
    }
    let config = at("etc/soundwatch/config.toml");
    let text = format!(
        "[state]\ndir = \"{0}/state\"\n[database]\nurl = \"sqlite:{0}/a.db\"\n",
        at("var").display()
    );
    std::fs::write(&config, &text).unwrap();
    std::fs::write(at("etc/soundwatch/watchlist.toml"), "").unwrap();
    let unit = format!(
        "[Service]\nExecStart=/usr/bin/soundwatch --config {} run\n{unit}",
        config.display()
    );
    std::fs::write(at(UNITS[0]), unit).unwrap();
    std::fs::write(
        at("etc/passwd"),
        "root:x:0:0::/root:/bin/sh\nsw:x:64001:64001::/:/bin/false\n",
    )
    .unwrap();
    std::fs::write(at("etc/group"), "sw:x:64001:\nreaders:x:64002:a,sw\n").unwrap();
    let config = crate::config::load_from(Some((config, text)), &[], dir.path()).unwrap();
    for folder in ["", "etc", "etc/soundwatch", "var"] {
        mode(dir.path(), folder, 0o755);
    }
    for file in ["etc/soundwatch/config.toml", "etc/soundwatch/watchlist.toml"] {
        mode(dir.path(), file, 0o644);
    }
    (dir, config)
}

fn mode(root: &Path, path: &str, mode: u32) {
    std::fs::set_permissions(root.join(path), PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn a_user_that_can_write_nothing_is_told_what_keeps_it_out() {
    let (root, config) = root("User=sw\nLoadCredential=api-key:/etc/soundwatch/api-key\n");
    mode(root.path(), "etc/soundwatch/watchlist.toml", 0o600);
    let found = look(root.path(), &config, &[]);
    let told: Vec<String> = found.problems.iter().map(|p| p.to_string()).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    let place = |n: usize| found.problems[n].place.as_ref().unwrap().file.clone();
    assert!(told[0].contains("cannot read"), "{told:?}");
    assert!(place(0).ends_with("etc/soundwatch/watchlist.toml"), "{told:?}");
    assert!(told[1].contains("cannot write to"), "{told:?}");
    assert!(
        place(1).ends_with("var"),
        "the folder in which it would be made: {told:?}"
    );
    assert!(told[2].contains("chown sw"), "{told:?}");
}

#[test]
fn a_user_that_can_do_all_is_not_a_problem() {
    let (root, config) = root("User=sw\nLoadCredential=api-key:/etc/soundwatch/api-key\n");
    mode(root.path(), "var", 0o777);
    let found = look(root.path(), &config, &[]);
    assert_eq!(found.problems, []);
    assert!(found.unit.unwrap().ends_with("runs as sw"));
}

#[test]
fn a_folder_that_cannot_be_entered_keeps_a_user_from_the_file() {
    let (root, config) = root("User=sw\nLoadCredential=api-key:x\n");
    mode(root.path(), "var", 0o777);
    mode(root.path(), "etc/soundwatch", 0o700);
    let found = look(root.path(), &config, &[]);
    assert!(
        found
            .problems
            .iter()
            .all(|p| p.place.as_ref().unwrap().file.ends_with("etc/soundwatch"))
    );
    assert_eq!(found.problems.len(), 2, "{:?}", found.problems);
}

#[test]
fn a_user_that_is_not_there_is_a_problem() {
    let (root, config) = root("User=nobody-here\n");
    let found = look(root.path(), &config, &[]);
    assert!(found.problems[0].message.contains("there is no such user"));
}

#[test]
fn settings_of_the_unit_that_were_not_seen_are_told() {
    let (root, config) = root(
        "Environment=\"SOUNDWATCH__STATE__DIR=/x\" SOUNDWATCH__API__ATTEMPTS=1 OTHER=2\nEnvironment=SOUNDWATCH__API__KEY=k\n",
    );
    let seen = [Variable {
        name: "SOUNDWATCH__API__ATTEMPTS".to_owned(),
        overrides: None,
    }];
    let found = look(root.path(), &config, &seen);
    assert_eq!(found.warnings.len(), 1, "{:?}", found.warnings);
    assert!(found.warnings[0].message.contains("SOUNDWATCH__STATE__DIR"));
}

#[test]
fn a_unit_of_another_configuration_is_not_looked_at() {
    let (root, mut config) = root("User=nobody-here\n");
    config.path = Some(root.path().join("etc/passwd"));
    assert!(look(root.path(), &config, &[]).unit.is_none());
}

#[test]
fn groups_of_a_user_count() {
    let (root, _) = root("");
    let found = user(root.path(), "sw").unwrap();
    assert_eq!(
        (found.uid, found.gids.as_slice()),
        (64_001, [64_001, 64_002].as_slice())
    );
}

#[test]
fn what_systemd_makes_for_the_user_is_not_a_problem() {
    let (root, mut config) = root("User=sw\nLoadCredential=api-key:x\nStateDirectory=soundwatch\n");
    config.state.dir = PathBuf::from("/var/lib/soundwatch/state");
    config.database.url = crate::config::DatabaseUrl::new("sqlite:/var/lib/soundwatch/a.db");
    assert_eq!(look(root.path(), &config, &[]).problems, []);
}
