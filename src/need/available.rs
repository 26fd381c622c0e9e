//! The memory that this process may still have.

use std::fs;

/// Bytes that the system could give: what Linux calls available, with the swap that is free, and no more than the limit of the process's
/// control group. None on other systems, or where it does not tell.
pub(crate) fn available() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let meminfo = read("/proc/meminfo")?;
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limits: Vec<String> = limits.into_iter().filter_map(read).collect();
    within(&meminfo, &limits)
}

/// From the text of the system's files; a control group without a limit says "max", or a number above any machine's memory.
fn within(meminfo: &str, limits: &[String]) -> Option<u64> {
    let kib = |key: &str| -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    let system = (kib("MemAvailable")? + kib("SwapFree").unwrap_or(0)).saturating_mul(1024);
    let limits = limits.iter().filter_map(|text| text.trim().parse::<u64>().ok());
    Some(limits.fold(system, u64::min))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_system_and_control_group() {
        let meminfo =
            "MemTotal:       16000 kB\nMemFree: 1 kB\nMemAvailable:    8000 kB\nSwapFree:        2000 kB\n";
        let of = |limits: &[&str]| {
            within(meminfo, &limits.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(of(&[]), Some(10_000 << 10));
        assert_eq!(of(&["max\n"]), Some(10_000 << 10));
        assert_eq!(of(&["4096000\n"]), Some(4_096_000));
        assert_eq!(of(&["9223372036854771712\n"]), Some(10_000 << 10));
        assert_eq!(within("MemTotal: 1 kB\n", &[]), None);
    }
}
