//! Rows of our small tables, found by an index, without SQL.
//!
//! A revocation must be seen by a REPEATABLE READ transaction that began before it (README, decision 4: revocations are read with
//! the latest snapshot), which no SQL statement of that transaction can do. It also spares an executor for each look-up, 10 µs
//! where every token passes: this is for tokens that are checked or made, nothing else.
//! Same rows, same rules as SQL. No privilege is checked, so no caller returns a row to its own caller, and what it returns
//! is guarded by the privilege to execute it.

use std::ffi::CStr;

use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::{FromDatum, IntoDatum, pg_sys};

use crate::errors::Error;

/// PostgreSQL's own functions, without pgrx's guard around each: a jump buffer for every call was a tenth of a look-up. Each use is
/// inside one guard, in a closure that holds nothing to drop.
pub mod raw {
    use std::ffi::c_char;

    use pgrx::pg_sys::{
        IndexScanDesc, LOCKMODE, Oid, Relation, ScanDirection, ScanKey, Snapshot, TupleDesc, TupleTableSlot,
    };

    unsafe extern "C-unwind" {
        pub fn GetLatestSnapshot() -> Snapshot;
        pub fn GetActiveSnapshot() -> Snapshot;
        pub fn RegisterSnapshot(snapshot: Snapshot) -> Snapshot;
        pub fn get_namespace_oid(name: *const c_char, missing_ok: bool) -> Oid;
        pub fn get_relname_relid(name: *const c_char, schema: Oid) -> Oid;
        pub fn table_open(table: Oid, lock: LOCKMODE) -> Relation;
        pub fn table_close(table: Relation, lock: LOCKMODE);
        pub fn index_open(index: Oid, lock: LOCKMODE) -> Relation;
        pub fn index_close(index: Relation, lock: LOCKMODE);
        pub fn table_slot_create(table: Relation, list: *mut *mut pgrx::pg_sys::List) -> *mut TupleTableSlot;
        pub fn ExecDropSingleTupleTableSlot(slot: *mut TupleTableSlot);
        pub fn index_rescan(scan: IndexScanDesc, keys: ScanKey, count: i32, orders: ScanKey, order_count: i32);
        pub fn index_getnext_slot(scan: IndexScanDesc, way: ScanDirection::Type, slot: *mut TupleTableSlot) -> bool;
        pub fn index_endscan(scan: IndexScanDesc);
        pub fn SPI_fnumber(columns: TupleDesc, name: *const c_char) -> i32;
    }
}

/// The rows there are, at one moment.
pub struct View {
    snapshot: pg_sys::Snapshot,
    schema: pg_sys::Oid,
}

impl View {
    /// Every committed row at this moment, also under REPEATABLE READ. Not for functions that a parallel plan may call.
    pub fn latest() -> Self {
        // SAFETY: authenticate and its like are PARALLEL UNSAFE, and only in parallel mode is a latest snapshot refused.
        unsafe { Self::registered(|| raw::GetLatestSnapshot()) }
    }

    /// What the running statement sees.
    pub fn of_statement() -> Self {
        // SAFETY: a function is called by a statement, which has a snapshot.
        unsafe { Self::registered(|| raw::GetActiveSnapshot()) }
    }

    /// # Safety
    /// What is given is valid now; nothing in it needs dropping.
    unsafe fn registered(snapshot: impl FnOnce() -> pg_sys::Snapshot) -> Self {
        // SAFETY: a registered snapshot stays valid until it is unregistered, on errors by the resource owner.
        unsafe {
            pg_guard_ffi_boundary(|| Self {
                snapshot: raw::RegisterSnapshot(snapshot()),
                schema: raw::get_namespace_oid(c"identity".as_ptr(), false),
            })
        }
    }

    /// Opens a table of schema `identity`, to be searched by its primary key.
    ///
    /// # Errors
    /// XX000 when it is missing: library and SQL do not fit.
    pub fn table(&self, name: &CStr) -> Result<Table<'_>, Error> {
        // SAFETY: called with an open relation.
        self.open(name, |table| unsafe { primary_key(table) })
    }

    /// Opens a table of schema `identity`, to be searched by an index of that name.
    ///
    /// # Errors
    /// As [`View::table`].
    pub fn table_by(&self, name: &CStr, index: &CStr) -> Result<Table<'_>, Error> {
        // SAFETY: the name is NUL-terminated, and the guard of `open` is around it.
        self.open(name, |_| unsafe { raw::get_relname_relid(index.as_ptr(), self.schema) })
    }

    fn open(&self, name: &CStr, index: impl FnOnce(pg_sys::Relation) -> pg_sys::Oid) -> Result<Table<'_>, Error> {
        // SAFETY: the names are NUL-terminated; the relations stay open and locked until `Table` is dropped. Nothing in the
        // closure needs dropping.
        let opened = unsafe {
            pg_guard_ffi_boundary(|| {
                let oid = raw::get_relname_relid(name.as_ptr(), self.schema);
                if oid == pg_sys::InvalidOid {
                    return None;
                }
                let table = raw::table_open(oid, LOCK);
                let index = index(table);
                if index == pg_sys::InvalidOid {
                    raw::table_close(table, LOCK);
                    return None;
                }
                Some((table, raw::index_open(index, LOCK), raw::table_slot_create(table, std::ptr::null_mut())))
            })
        };
        let (table, index, slot) = opened.ok_or_else(|| missing(name))?;
        Ok(Table { view: self, table, index, slot, scan: std::ptr::null_mut(), keys: Vec::new(), texts: Vec::new() })
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // During an error PostgreSQL releases everything itself, and no more of its functions may be called.
        if !std::thread::panicking() {
            // SAFETY: registered by `registered`.
            unsafe { pg_sys::UnregisterSnapshot(self.snapshot) }
        }
    }
}

/// An open table with the scan of its index.
pub struct Table<'view> {
    view: &'view View,
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    slot: *mut pg_sys::TupleTableSlot,
    scan: pg_sys::IndexScanDesc,
    /// How the scan compares; made ready once for all look-ups with as many texts.
    keys: Vec<pg_sys::ScanKeyData>,
    /// What it compares with.
    texts: Vec<Text>,
}

impl Table<'_> {
    /// The row whose key begins with these texts. With no text: the first row, where there is one only.
    pub fn find(&mut self, key: &[&str]) -> Option<Row<'_>> {
        let count = key.len();
        let another = self.scan.is_null() || self.keys.len() != count;
        self.keys.resize(count, pg_sys::ScanKeyData::default());
        self.texts.resize_with(count, Text::none);
        self.texts.iter_mut().zip(key).for_each(|(text, of_key)| text.set(of_key));
        // SAFETY: the index is open, the key has no more columns than it, and all of them are text; the texts live until the
        // scan is positioned again. Nothing in the closure needs dropping.
        let found = unsafe {
            pg_guard_ffi_boundary(|| {
                if another {
                    for (position, entry) in self.keys.iter_mut().enumerate() {
                        let collation = *(*self.index).rd_indcollation.add(position);
                        equal(entry, position as pg_sys::AttrNumber + 1, collation, F_TEXTEQ, pg_sys::Datum::null());
                    }
                    if !self.scan.is_null() {
                        raw::index_endscan(self.scan);
                    }
                    self.scan = begin_scan(self.table, self.index, self.view.snapshot, count);
                }
                self.keys.iter_mut().zip(&self.texts).for_each(|(entry, text)| entry.sk_argument = text.datum);
                raw::index_rescan(self.scan, self.keys.as_mut_ptr(), count as i32, std::ptr::null_mut(), 0);
                raw::index_getnext_slot(self.scan, pg_sys::ScanDirection::ForwardScanDirection, self.slot)
            })
        };
        found.then_some(Row { table: self.table, slot: self.slot, _borrow: std::marker::PhantomData })
    }

    /// The next row of the same key.
    pub fn next(&mut self) -> Option<Row<'_>> {
        // SAFETY: `find` has positioned the scan.
        let found = !self.scan.is_null()
            && unsafe { pg_sys::index_getnext_slot(self.scan, pg_sys::ScanDirection::ForwardScanDirection, self.slot) };
        found.then_some(Row { table: self.table, slot: self.slot, _borrow: std::marker::PhantomData })
    }
}

impl Drop for Table<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: opened by `View::open`, closed once. The locks go too, as for catalogs: held to the end they would fill the
            // few places of a backend (16) that need no shared lock table.
            unsafe {
                pg_guard_ffi_boundary(|| {
                    if !self.scan.is_null() {
                        raw::index_endscan(self.scan);
                    }
                    raw::ExecDropSingleTupleTableSlot(self.slot);
                    raw::index_close(self.index, LOCK);
                    raw::table_close(self.table, LOCK);
                });
            }
        }
    }
}

/// The row that was found last.
pub struct Row<'table> {
    table: pg_sys::Relation,
    slot: *mut pg_sys::TupleTableSlot,
    _borrow: std::marker::PhantomData<&'table ()>,
}

impl Row<'_> {
    /// A column as a type that pgrx can read; `None` for NULL.
    ///
    /// # Errors
    /// XX000 when there is no such column: library and SQL do not fit.
    pub fn column<T: FromDatum>(&self, name: &CStr) -> Result<Option<T>, Error> {
        let (datum, null) = self.datum(name)?;
        // SAFETY: the type of the column is the one in the SQL file that goes with this library (ID301 otherwise).
        Ok(unsafe { T::from_datum(datum, null) })
    }

    /// A `timestamptz` in microseconds since 1970; `infinity` is the last moment there is.
    ///
    /// # Errors
    /// As [`Row::column`].
    pub fn microseconds(&self, name: &CStr) -> Result<Option<i64>, Error> {
        let (datum, null) = self.datum(name)?;
        Ok((!null).then(|| (datum.value() as i64).saturating_add(crate::clock::POSTGRES_EPOCH)))
    }

    /// The stored bytes of a variable-length column: equal bytes are equal values.
    ///
    /// # Errors
    /// As [`Row::column`], and when it is NULL.
    pub fn stored(&self, name: &CStr) -> Result<&[u8], Error> {
        let (datum, null) = self.datum(name)?;
        if null {
            return Err(missing(name));
        }
        // SAFETY: a varlena datum, whose plain form is in the row, which is held as long as this is borrowed, or in the memory of the
        // call.
        unsafe {
            let plain = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
            let (start, length) = (pgrx::varlena::vardata_any(plain), pgrx::varlena::varsize_any_exhdr(plain));
            Ok(std::slice::from_raw_parts(start.cast::<u8>(), length))
        }
    }

    fn datum(&self, name: &CStr) -> Result<(pg_sys::Datum, bool), Error> {
        // SAFETY: the slot holds the row that `find` found, and the number is one of the table's columns. SPI_fnumber raises nothing.
        unsafe {
            let number = raw::SPI_fnumber((*self.table).rd_att, name.as_ptr());
            let position = usize::try_from(number - 1).map_err(|_| missing(name))?;
            if i32::from((*self.slot).tts_nvalid) < number {
                pg_sys::slot_getsomeattrs_int(self.slot, number);
            }
            Ok((*(*self.slot).tts_values.add(position), *(*self.slot).tts_isnull.add(position)))
        }
    }
}

/// A text in PostgreSQL's form; the next one takes its place.
struct Text {
    datum: pg_sys::Datum,
    /// What the datum points at, unless it is in PostgreSQL's memory.
    bytes: Vec<u8>,
}

impl Text {
    const fn none() -> Self {
        Self { datum: pg_sys::Datum::null(), bytes: Vec::new() }
    }

    fn set(&mut self, text: &str) {
        // varatt.h: a length below 128, its byte included, is one byte, shifted, with the lowest bit set (or the highest).
        match u8::try_from(text.len() + 1).ok().filter(|length| *length < 128 && cfg!(target_endian = "little")) {
            Some(length) => {
                self.bytes.clear();
                self.bytes.reserve(usize::from(length));
                self.bytes.push(length << 1 | 1);
                self.bytes.extend_from_slice(text.as_bytes());
                self.datum = pg_sys::Datum::from(self.bytes.as_ptr());
            }
            None => self.datum = text.into_datum().unwrap_or(pg_sys::Datum::null()),
        }
    }
}

/// How relations are locked while they are read.
pub const LOCK: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
/// `texteq(text, text)`; function oids of the catalog never change.
pub const F_TEXTEQ: u32 = 67;

/// A column that must equal a value.
///
/// # Safety
/// Inside a guard; the function compares the column's type, and the datum is of it.
pub unsafe fn equal(
    entry: &mut pg_sys::ScanKeyData,
    column: pg_sys::AttrNumber,
    collation: pg_sys::Oid,
    function: u32,
    datum: pg_sys::Datum,
) {
    unsafe extern "C-unwind" {
        fn ScanKeyEntryInitialize(
            entry: pg_sys::ScanKey,
            flags: i32,
            column: pg_sys::AttrNumber,
            strategy: pg_sys::StrategyNumber,
            subtype: pg_sys::Oid,
            collation: pg_sys::Oid,
            function: pg_sys::Oid,
            argument: pg_sys::Datum,
        );
    }
    let strategy = pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber;
    // SAFETY: passed on from the caller.
    unsafe {
        ScanKeyEntryInitialize(
            entry,
            0,
            column,
            strategy,
            pg_sys::InvalidOid,
            collation,
            pg_sys::Oid::from_u32(function),
            datum,
        );
    }
}

/// # Safety
/// Inside a guard; `table` is open.
pub unsafe fn primary_key(table: pg_sys::Relation) -> pg_sys::Oid {
    unsafe extern "C-unwind" {
        #[cfg(not(feature = "pg18"))]
        fn RelationGetPrimaryKeyIndex(table: pg_sys::Relation) -> pg_sys::Oid;
        #[cfg(feature = "pg18")]
        fn RelationGetPrimaryKeyIndex(table: pg_sys::Relation, deferrable_ok: bool) -> pg_sys::Oid;
    }
    // SAFETY: passed on from the caller.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        return RelationGetPrimaryKeyIndex(table);
        #[cfg(feature = "pg18")]
        return RelationGetPrimaryKeyIndex(table, false);
    }
}

/// # Safety
/// Inside a guard; `table` and `index` are open, `snapshot` is registered or active.
pub unsafe fn begin_scan(
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
    keys: usize,
) -> pg_sys::IndexScanDesc {
    unsafe extern "C-unwind" {
        #[cfg(not(feature = "pg18"))]
        fn index_beginscan(
            table: pg_sys::Relation,
            index: pg_sys::Relation,
            snapshot: pg_sys::Snapshot,
            keys: i32,
            orders: i32,
        ) -> pg_sys::IndexScanDesc;
        #[cfg(feature = "pg18")]
        fn index_beginscan(
            table: pg_sys::Relation,
            index: pg_sys::Relation,
            snapshot: pg_sys::Snapshot,
            instrument: *mut pg_sys::IndexScanInstrumentation,
            keys: i32,
            orders: i32,
        ) -> pg_sys::IndexScanDesc;
    }
    // SAFETY: passed on from the caller.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        return index_beginscan(table, index, snapshot, keys as i32, 0);
        #[cfg(feature = "pg18")]
        return index_beginscan(table, index, snapshot, std::ptr::null_mut(), keys as i32, 0);
    }
}

fn missing(name: &CStr) -> Error {
    Error::internal(format!("identity.{} is missing: library and SQL do not fit", name.to_string_lossy()))
}
