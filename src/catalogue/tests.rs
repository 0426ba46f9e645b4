//! What is saved is read back or not at all.

use super::*;

fn key(id: &str) -> CatalogueKey {
    CatalogueKey::from_definition(id, b"{\"command\":\"node\"}", b"{}")
}

fn store() -> (tempfile::TempDir, CatalogueStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = CatalogueStore::new(&dir.path().join("state"));
    (dir, store)
}

fn age(path: &Path, days: u64) {
    let then = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
    File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
}

fn names(store: &CatalogueStore) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(&store.dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_was_saved_last_is_loaded() {
    let (_dir, store) = store();
    assert_eq!(store.load(&key("crm")), None);
    store.save(&key("crm"), b"one").unwrap();
    store.save(&key("ledger"), b"").unwrap();
    store.save(&key("crm"), b"two\n\0\xff").unwrap();
    assert_eq!(store.load(&key("crm")).unwrap(), b"two\n\0\xff");
    assert_eq!(store.load(&key("ledger")).unwrap(), b"");
    assert_eq!(names(&store).len(), 2, "nothing else is left");
}

#[test]
fn the_key_tells_all_parts_apart() {
    let keys = [
        CatalogueKey::from_definition("ab", b"c", b"d"),
        CatalogueKey::from_definition("a", b"bc", b"d"),
        CatalogueKey::from_definition("ab", b"cd", b""),
        CatalogueKey::from_definition("ab", b"c", b""),
    ];
    for (index, one) in keys.iter().enumerate() {
        assert_eq!(one.as_str().len(), 64);
        assert!(keys[index + 1..].iter().all(|other| other != one));
    }
    assert_eq!(keys[0], CatalogueKey::from_definition("ab", b"c", b"d"));
}

#[cfg(unix)]
#[test]
fn only_this_user_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, store) = store();
    store.save(&key("crm"), b"one").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&store.dir), mode(&store.path(&key("crm")))), (0o700, 0o600));
}

#[test]
fn any_damage_is_no_catalogue_and_the_file_is_kept_aside() {
    let (_dir, store) = store();
    let path = store.path(&key("crm"));
    store.save(&key("crm"), b"payload").unwrap();
    let whole = fs::read(&path).unwrap();

    let mut broken: Vec<Vec<u8>> = (0..whole.len()).map(|cut| whole[..cut].to_vec()).collect();
    broken.extend((0..whole.len()).map(|at| {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x20;
        flipped
    }));
    broken.push([whole.as_slice(), b"x"].concat());
    for bytes in broken {
        fs::write(&path, &bytes).unwrap();
        assert_eq!(store.load(&key("crm")), None, "{}", String::from_utf8_lossy(&bytes));
        assert!(!path.exists());
        assert_eq!(fs::read(path.with_extension("damaged")).unwrap(), bytes);
    }
    store.save(&key("crm"), b"anew").unwrap();
    assert_eq!(store.load(&key("crm")).unwrap(), b"anew");
}

#[test]
fn what_cannot_be_read_stays_where_it_is() {
    let (_dir, store) = store();
    let path = store.path(&key("crm"));
    fs::create_dir_all(&path).unwrap();
    assert_eq!(store.load(&key("crm")), None);
    assert!(path.is_dir());
    store.save(&key("crm"), b"one").unwrap_err();
}

#[test]
fn a_catalogue_beyond_the_limit_is_not_kept() {
    let (_dir, store) = store();
    let refusal = store.save(&key("crm"), &vec![0; MAX_BYTES + 1]).unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::FileTooLarge);
}

#[test]
fn what_nobody_read_for_long_goes_and_what_is_read_stays() {
    let (_dir, store) = store();
    for id in ["unread", "read", "young"] {
        store.save(&key(id), b"x").unwrap();
    }
    age(&store.path(&key("unread")), 91);
    age(&store.path(&key("read")), 91);
    age(&store.path(&key("young")), 89);
    let foreign = store.dir.join("notes.txt");
    let abandoned = store.dir.join(".catalogue-abc");
    for (path, days) in [(&foreign, 900), (&abandoned, 1)] {
        fs::write(path, "").unwrap();
        age(path, days);
    }
    assert!(store.load(&key("read")).is_some());
    store.save(&key("new"), b"x").unwrap();

    assert!(store.load(&key("unread")).is_none());
    assert!(["read", "young", "new"].iter().all(|id| store.load(&key(id)).is_some()));
    assert!(foreign.exists() && !abandoned.exists());
}

#[test]
fn of_too_many_the_oldest_go() {
    let (_dir, store) = store();
    let id = |number: usize| format!("backend-{number}");
    for number in 0..KEPT_FILES {
        store.save(&key(&id(number)), b"x").unwrap();
        age(&store.path(&key(&id(number))), 1 + number as u64 % 80);
    }
    age(&store.path(&key(&id(7))), 89);
    store.save(&key("one more"), b"x").unwrap();
    assert_eq!(names(&store).len(), KEPT_FILES);
    assert!(!store.path(&key(&id(7))).exists());
    assert!(store.load(&key("one more")).is_some());
}

#[test]
fn readers_and_writers_at_once_see_whole_catalogues() {
    let (_dir, store) = store();
    let payload = |byte: u8| vec![byte; 100_000];
    store.save(&key("crm"), &payload(0)).unwrap();
    std::thread::scope(|scope| {
        for byte in 1..4_u8 {
            let store = &store;
            scope.spawn(move || (0..50).for_each(|_| store.save(&key("crm"), &payload(byte)).unwrap()));
            scope.spawn(move || {
                for _ in 0..50 {
                    let bytes = store.load(&key("crm")).unwrap();
                    assert_eq!(bytes, payload(bytes[0]));
                }
            });
        }
    });
    assert_eq!(names(&store).len(), 1);
}
