//! What is mapped where, so that addresses can be looked up in files.

use std::{
    ffi::{CStr, c_int, c_void},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
};

use crate::proto::Module;

/// The executable and every shared object, as the dynamic linker lists them.
pub(crate) fn list() -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    // SAFETY: the callback matches the signature, and `modules` outlives the
    // call, which is synchronous.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut modules).cast()) };
    modules
}

unsafe extern "C" fn visit(
    info: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    modules: *mut c_void,
) -> c_int {
    // SAFETY: the linker passes a valid record, and `list` a valid vector.
    let (info, modules) = unsafe { (&*info, &mut *modules.cast::<Vec<Module>>()) };
    let name = if info.dlpi_name.is_null() {
        ""
    } else {
        // SAFETY: a C string that the linker owns.
        unsafe { CStr::from_ptr(info.dlpi_name) }.to_str().unwrap_or("")
    };
    let headers = if info.dlpi_phdr.is_null() {
        &[]
    } else {
        // SAFETY: the linker says how many there are.
        unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) }
    };
    let base = info.dlpi_addr;
    let segments = || headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
    let start = segments().map(|header| base + header.p_vaddr).min();
    let end = segments().map(|header| base + header.p_vaddr + header.p_memsz).max();
    let (Some(start), Some(end)) = (start, end) else { return 0 };
    // The first one without a name is the executable. Its link leads to the file that
    // runs, whatever lies at its path by now.
    let is_executable = name.is_empty() && modules.is_empty();
    let path = if is_executable { executable() } else { name.to_owned() };
    let file = std::fs::metadata(if is_executable { "/proc/self/exe" } else { name });
    let (device, inode, size) = file.map_or((0, 0, 0), |file| (file.dev(), file.ino(), file.len()));
    if !path.is_empty() {
        modules.push(Module { path, base, start, end, device, inode, size });
    }
    0
}

/// The path of this process's executable, or an empty string.
pub(crate) fn executable() -> String {
    let path = std::env::current_exe()
        .map(|path| String::from_utf8_lossy(path.as_os_str().as_bytes()).into_owned())
        .unwrap_or_default();
    // What the system appends where the file was removed or replaced.
    path.strip_suffix(" (deleted)").map_or_else(|| path.clone(), str::to_owned)
}
