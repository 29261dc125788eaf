//! libpq itself, where this machine has it: what it makes of connection strings and of its files.

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr,
    sync::LazyLock,
};

use libloading::{Library, Symbol};

pub type Settings = BTreeMap<String, Vec<u8>>;

static LIBRARY: LazyLock<Option<Library>> = LazyLock::new(|| {
    // SAFETY: libpq does nothing when it is loaded.
    let library = unsafe { Library::new("libpq.so.5") };
    if library.is_err() {
        eprintln!("nothing is compared with libpq, for there is no libpq.so.5");
    }
    library.ok()
});

/// `PQconninfoOption` of libpq-fe.h.
#[repr(C)]
struct ConninfoOption {
    keyword: *const c_char,
    environment_variable: *const c_char,
    compiled: *const c_char,
    value: *const c_char,
    label: *const c_char,
    display: *const c_char,
    display_size: c_int,
}

fn symbol<T>(name: &str) -> Option<Symbol<'static, T>> {
    // SAFETY: each caller names a function of libpq-fe.h with its type.
    LIBRARY.as_ref().map(|library| unsafe { library.get(name.as_bytes()) }.expect("libpq has it"))
}

/// Options that have a value; all keywords are there with `None`.
unsafe fn take_options(options: *mut ConninfoOption) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut taken = BTreeMap::new();
    let mut one = options;
    // SAFETY: the array ends with an option without a keyword, and its texts end with a zero byte.
    unsafe {
        while !(*one).keyword.is_null() {
            let keyword = CStr::from_ptr((*one).keyword).to_string_lossy().into_owned();
            let value = (*one).value;
            taken.insert(keyword, (!value.is_null()).then(|| CStr::from_ptr(value).to_bytes().to_vec()));
            one = one.add(1);
        }
        let free: Symbol<'_, unsafe extern "C" fn(*mut ConninfoOption)> =
            symbol("PQconninfoFree").expect("it was loaded");
        free(options);
    }
    taken
}

fn given(options: BTreeMap<String, Option<Vec<u8>>>) -> Settings {
    options.into_iter().filter_map(|(keyword, value)| Some((keyword, value?))).collect()
}

/// What libpq reads in a connection string; `None` without libpq.
pub fn connection_string(text: &str) -> Option<Result<Settings, String>> {
    type Parse = unsafe extern "C" fn(*const c_char, *mut *mut c_char) -> *mut ConninfoOption;
    let parse: Symbol<'_, Parse> = symbol("PQconninfoParse")?;
    let text = CString::new(text).ok()?;
    let mut message = ptr::null_mut();
    // SAFETY: both pointers are valid for the call.
    let options = unsafe { parse(text.as_ptr(), &raw mut message) };
    if !options.is_null() {
        // SAFETY: the options come from libpq.
        return Some(Ok(given(unsafe { take_options(options) })));
    }
    assert!(!message.is_null(), "there is memory");
    // SAFETY: libpq's message ends with a zero byte, and is freed once.
    let words = unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned();
    let free: Symbol<'_, unsafe extern "C" fn(*mut c_void)> = symbol("PQfreemem")?;
    // SAFETY: as above.
    unsafe { free(message.cast()) };
    Some(Err(words))
}

/// All parameters with what they are where nothing is said but in the environment.
pub fn defaults() -> Option<Settings> {
    let defaults: Symbol<'_, unsafe extern "C" fn() -> *mut ConninfoOption> = symbol("PQconndefaults")?;
    // SAFETY: the options come from libpq.
    Some(given(unsafe { take_options(defaults()) }))
}

/// The words that this libpq knows.
pub fn keywords() -> Option<Vec<String>> {
    let defaults: Symbol<'_, unsafe extern "C" fn() -> *mut ConninfoOption> = symbol("PQconndefaults")?;
    // SAFETY: the options come from libpq.
    Some(unsafe { take_options(defaults()) }.into_keys().collect())
}

/// The password that a session with these settings would use. An attempt to connect is made, and given up.
pub fn password(settings: &[(&str, &str)]) -> Option<Vec<u8>> {
    type Start = unsafe extern "C" fn(*const *const c_char, *const *const c_char, c_int) -> *mut c_void;
    let start: Symbol<'_, Start> = symbol("PQconnectStartParams")?;
    let pass: Symbol<'_, unsafe extern "C" fn(*mut c_void) -> *const c_char> = symbol("PQpass")?;
    let finish: Symbol<'_, unsafe extern "C" fn(*mut c_void)> = symbol("PQfinish")?;
    let texts: Vec<_> = settings
        .iter()
        .map(|(name, value)| Some((CString::new(*name).ok()?, CString::new(*value).ok()?)))
        .collect::<Option<_>>()?;
    let end = [ptr::null()];
    let names: Vec<_> = texts.iter().map(|(name, _)| name.as_ptr()).chain(end).collect();
    let values: Vec<_> = texts.iter().map(|(_, value)| value.as_ptr()).chain(end).collect();
    // SAFETY: both arrays end with a null pointer, and the session is ended once.
    unsafe {
        let session = start(names.as_ptr(), values.as_ptr(), 0);
        let password = pass(session);
        let password = (!password.is_null()).then(|| CStr::from_ptr(password).to_bytes().to_vec());
        finish(session);
        password
    }
}
