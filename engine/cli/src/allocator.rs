//! What the allocator of the C library keeps of the memory that was freed.
//!
//! Large payloads come and go. Left alone, glibc learns from the first of them to take such pieces from its arenas, of
//! which each thread has one, and gives them back to the system late or never. So large pieces are mapped one by one
//! here, and two arenas have to do.

/// What glibc maps by itself before it has learnt otherwise.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED: libc::c_int = 128 << 10;

/// How many arenas there are at most.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: libc::c_int = 2;

/// Sets the allocator up, before there are threads. Settings in the environment (`MALLOC_ARENA_MAX`, `GLIBC_TUNABLES`,
/// and so on) are left as they are.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "nothing safe wraps it")]
pub(crate) fn set_up() {
    let is_set = |name: &std::ffi::OsStr| {
        let name = name.to_string_lossy();
        name == "GLIBC_TUNABLES" || name.starts_with("MALLOC_")
    };
    if std::env::vars_os().any(|(name, _)| is_set(&name)) {
        return;
    }
    // SAFETY: the function takes two numbers and changes parameters of the allocator under the allocator's own lock. It
    // says 0 where it knows no such parameter, and then all stays as it was.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED);
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
    }
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn set_up() {}
