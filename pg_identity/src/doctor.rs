//! What the doctor (sql/extension/doctor*.sql) cannot ask of the catalog: the master key file, the memory of the machine and what hashing
//! takes of it. No secret and no path is in any answer.

use std::path::Path;

use crate::native::sql_function;
use crate::{master_key, places, settings};

sql_function! {
    /// `identity.master_key_complaint()`: why the master key file cannot be used, NULL when it can.
    fn master_key_complaint() -> Result<Option<String>, Error> {
        Ok(master_key::unusable())
    }
}

sql_function! {
    /// `identity.master_key_place_complaint()`: what is wrong with the place of the master key file.
    fn master_key_place_complaint() -> Result<Option<String>, Error> {
        Ok(master_key::misplaced().map(str::to_owned))
    }
}

sql_function! {
    /// `identity.hash_memory()`: bytes that hashing holds at most.
    fn hash_memory() -> Result<i64, Error> {
        let (kib, _, _) = settings::argon2_parameters();
        let sign_in = settings::hash_concurrency();
        // Those that hash, and as many backends of sign-in that keep their memory for the next hash.
        let areas = 2 * sign_in + places::administration_places(sign_in);
        Ok(i64::try_from(areas).unwrap_or(i64::MAX).saturating_mul(i64::from(kib)).saturating_mul(1024))
    }
}

sql_function! {
    /// `identity.machine_memory()`: bytes of memory that this server may use, NULL where nobody says.
    fn machine_memory() -> Result<Option<i64>, Error> {
        Ok([of_the_machine(), of_the_group()].into_iter().flatten().min())
    }
}

/// `MemTotal` of proc(5).
fn of_the_machine() -> Option<i64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    kib(&text).map(|kib| kib.saturating_mul(1024))
}

fn kib(meminfo: &str) -> Option<i64> {
    meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.split_whitespace().next()?.parse().ok()
}

/// The limit of a container: `memory.max` of this process's control group, version 2, then version 1.
fn of_the_group() -> Option<i64> {
    let group = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group =
        group.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/").trim_start_matches('/').to_owned();
    let root = Path::new("/sys/fs/cgroup");
    [root.join(group).join("memory.max"), root.join("memory.max"), root.join("memory/memory.limit_in_bytes")]
        .iter()
        // "max" where there is no limit.
        .find_map(|file| std::fs::read_to_string(file).ok()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_memory_of_the_machine_is_read_in_kib() {
        let text = "MemFree:   1 kB\nMemTotal:       24576000 kB\n";
        assert_eq!(super::kib(text), Some(24_576_000));
        assert_eq!(super::kib("MemTotal: lots"), None);
        assert_eq!(super::kib(""), None);
    }
}
