//! A row of a table by its primary key, without a plan.
//!
//! What every token request looks up (its client, secret, grant, family, person, session) is one row by its id. As a statement that
//! takes PostgreSQL four to ten times as long, most of it to get ready: a plan that names every partition, their locks, an
//! executor, the description of each column. Here it is one scan of one index.
//! Same rows, same rules as `select t from t where id = …`: the snapshot of the statement, and of a partitioned table the one
//! partition that holds the id. Nothing is decided here. No privilege and no policy of row-level security is looked at, so only
//! identity_owner may call it, and only the owner of a table reads it so.

use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::pg_sys::{Datum, Oid, Relation};

use crate::errors::Error;
use crate::native::{VERSION_1, answer};
use crate::rows::{F_TEXTEQ, LOCK, begin_scan, equal, primary_key, raw};

/// `uuid_eq(uuid, uuid)`
const F_UUIDEQ: u32 = 2956;

#[unsafe(export_name = "pg_finfo_row_by_id_wrapper")]
extern "C" fn version() -> *const pg_sys::Pg_finfo_record {
    &VERSION_1
}

/// `row_by_id(of, id)`: not by `sql_function!`, because the type of `of`, which is NULL, says which table.
#[unsafe(export_name = "row_by_id_wrapper")]
unsafe extern "C-unwind" fn wrapper(call: pg_sys::FunctionCallInfo) -> Datum {
    // SAFETY: PostgreSQL calls this with a valid call of two arguments.
    unsafe {
        answer(call, |_| {
            let Some(id) = (*call).args.as_slice(2).get(1).filter(|id| !id.isnull) else { return Ok(None) };
            let id = id.value;
            let found = pg_guard_ffi_boundary(|| {
                let of = calls::get_fn_expr_argtype((*call).flinfo, 0);
                let key = calls::get_fn_expr_argtype((*call).flinfo, 1);
                let table = calls::typeidTypeRelid(of);
                if table == pg_sys::InvalidOid { Err("row_by_id: not the row of a table") } else { row(table, key, id) }
            });
            found.map(|row| row.map(Row)).map_err(Error::internal)
        })
    }
}

struct Row(Datum);

impl pgrx::IntoDatum for Row {
    fn into_datum(self) -> Option<Datum> {
        Some(self.0)
    }

    fn type_oid() -> Oid {
        pg_sys::RECORDOID
    }
}

/// # Safety
/// Inside a guard, with an active snapshot; `id` is of type `key`.
unsafe fn row(table: Oid, key: Oid, id: Datum) -> Result<Option<Datum>, &'static str> {
    // SAFETY: passed on from the caller; relations are closed in the reverse order, and by PostgreSQL on errors.
    unsafe {
        let table = raw::table_open(table, LOCK);
        let found = if (*(*table).rd_rel).relowner != calls::GetUserId() {
            Err("row_by_id: a table belongs to somebody else")
        } else if (*(*table).rd_rel).relkind as u8 != pg_sys::RELKIND_PARTITIONED_TABLE {
            row_of(table, table, key, id)
        } else if key != pg_sys::UUIDOID || !by_ranges_of_its_id(table) {
            Err("row_by_id: a table is not partitioned by ranges of its primary key, a uuid")
        } else {
            match partition(table, std::slice::from_raw_parts(id.cast_mut_ptr::<u8>(), 16)) {
                None => Ok(None),
                Some(partition) => {
                    let partition = raw::table_open(partition, LOCK);
                    let found = row_of(table, partition, key, id);
                    raw::table_close(partition, LOCK);
                    found
                }
            }
        };
        raw::table_close(table, LOCK);
        found
    }
}

/// Whether the borders of a table are ids: of one column, which is a uuid. A primary key holds every column that a table is
/// partitioned by, so with one column, which [`row_of`] sees to, it is that one.
///
/// # Safety
/// As [`row`]; it is a partitioned table.
unsafe fn by_ranges_of_its_id(table: Relation) -> bool {
    // SAFETY: the description lives as long as the relation is open, and has as many types as columns.
    unsafe {
        let key = calls::RelationGetPartitionKey(table);
        primary_key(table) != pg_sys::InvalidOid
            && !key.is_null()
            && (*key).strategy as u8 == b'r'
            && (*key).columns == 1
            && *(*key).types == pg_sys::UUIDOID
    }
}

/// The partition that holds an id, as PostgreSQL itself chooses it (get_partition_for_tuple).
///
/// # Safety
/// As [`row`]; of what [`by_ranges_of_its_id`].
unsafe fn partition(table: Relation, id: &[u8]) -> Option<Oid> {
    // SAFETY: the description lives as long as the relation is open. The borders are uuids, which are compared byte by byte.
    unsafe {
        let description = calls::RelationGetPartitionDesc(table, true);
        let borders = (*description).boundinfo;
        if borders.is_null() {
            return None;
        }
        let (mut low, mut high) = (0, usize::try_from((*borders).ndatums).unwrap_or(0));
        // The number of borders that are not above the id.
        while low < high {
            let middle = low + (high - low) / 2;
            let not_above = match *(*(*borders).kind.add(middle)) {
                pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MINVALUE => true,
                pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MAXVALUE => false,
                _ => {
                    let border = (*(*(*borders).datums.add(middle))).cast_mut_ptr::<u8>();
                    std::slice::from_raw_parts(border, 16) <= id
                }
            };
            if not_above { low = middle + 1 } else { high = middle }
        }
        let place = match *(*borders).indexes.add(low) {
            none if none < 0 => (*borders).default_index,
            place => place,
        };
        usize::try_from(place).ok().map(|place| *(*description).oids.add(place))
    }
}

/// The row of `leaf`, in the form of the rows of `table`.
///
/// # Safety
/// As [`row`]; both are open.
unsafe fn row_of(table: Relation, leaf: Relation, key: Oid, id: Datum) -> Result<Option<Datum>, &'static str> {
    // SAFETY: passed on from the caller.
    unsafe {
        if (*(*leaf).rd_rel).relkind as u8 != pg_sys::RELKIND_RELATION {
            return Err("row_by_id: no table, or one with partitions of partitions");
        }
        let index = primary_key(leaf);
        if index == pg_sys::InvalidOid {
            return Err("row_by_id: a table has no primary key");
        }
        let index = raw::index_open(index, LOCK);
        let one_of_that_type = (*(*index).rd_index).indnkeyatts == 1 && *(*index).rd_opcintype == key;
        let function = match key {
            pg_sys::UUIDOID => Some(F_UUIDEQ),
            pg_sys::TEXTOID => Some(F_TEXTEQ),
            _ => None,
        };
        let Some(function) = function.filter(|_| one_of_that_type) else {
            return Err("row_by_id: the primary key is not one column of that type");
        };
        let mut entry = pg_sys::ScanKeyData::default();
        equal(&mut entry, 1, *(*index).rd_indcollation, function, id);
        let slot = raw::table_slot_create(leaf, std::ptr::null_mut());
        let scan = begin_scan(leaf, index, raw::GetActiveSnapshot(), 1);
        raw::index_rescan(scan, &raw mut entry, 1, std::ptr::null_mut(), 0);
        let found = raw::index_getnext_slot(scan, pg_sys::ScanDirection::ForwardScanDirection, slot);
        let row = found.then(|| composite(table, leaf, slot));
        raw::index_endscan(scan);
        raw::ExecDropSingleTupleTableSlot(slot);
        raw::index_close(index, LOCK);
        Ok(row)
    }
}

/// # Safety
/// As [`row_of`]; the slot holds a row of `leaf`.
unsafe fn composite(table: Relation, leaf: Relation, slot: *mut pg_sys::TupleTableSlot) -> Datum {
    // SAFETY: passed on from the caller; what is made copies the row.
    unsafe {
        let (of_table, of_leaf) = ((*table).rd_att, (*leaf).rd_att);
        calls::slot_getsomeattrs_int(slot, (*of_leaf).natts);
        let (values, nulls) = ((*slot).tts_values, (*slot).tts_isnull);
        // A partition may have its columns in other places: one that was attached, or a table that lost a column.
        let map = if leaf == table { std::ptr::null_mut() } else { calls::convert_tuples_by_name(of_leaf, of_table) };
        let row = if map.is_null() {
            calls::heap_form_tuple(of_table, values, nulls)
        } else {
            calls::execute_attr_map_tuple(calls::heap_form_tuple(of_leaf, values, nulls), map)
        };
        calls::HeapTupleHeaderGetDatum((*row).t_data)
    }
}

/// As those of `rows::raw`.
mod calls {
    use std::ffi::c_void;

    use pgrx::pg_sys::{
        Datum, FmgrInfo, HeapTuple, HeapTupleHeader, Oid, PartitionDesc, Relation, TupleConversionMap, TupleDesc,
        TupleTableSlot,
    };

    /// The beginning of PartitionKeyData (utils/partcache.h), which pgrx does not bind.
    #[repr(C)]
    pub struct PartitionKey {
        #[cfg(feature = "pg15")]
        pub strategy: std::ffi::c_char,
        #[cfg(not(feature = "pg15"))]
        pub strategy: pgrx::pg_sys::PartitionStrategy::Type,
        pub columns: i16,
        numbers: *mut i16,
        expressions: *mut c_void,
        families: *mut Oid,
        input_types: *mut Oid,
        functions: *mut FmgrInfo,
        collations: *mut Oid,
        pub types: *mut Oid,
    }

    unsafe extern "C-unwind" {
        pub fn GetUserId() -> Oid;
        pub fn RelationGetPartitionKey(table: Relation) -> *const PartitionKey;
        pub fn get_fn_expr_argtype(function: *mut FmgrInfo, argument: i32) -> Oid;
        pub fn typeidTypeRelid(row: Oid) -> Oid;
        pub fn RelationGetPartitionDesc(table: Relation, omit_detached: bool) -> PartitionDesc;
        pub fn slot_getsomeattrs_int(slot: *mut TupleTableSlot, count: i32);
        pub fn convert_tuples_by_name(from: TupleDesc, to: TupleDesc) -> *mut TupleConversionMap;
        pub fn execute_attr_map_tuple(row: HeapTuple, map: *mut TupleConversionMap) -> HeapTuple;
        pub fn heap_form_tuple(columns: TupleDesc, values: *mut Datum, nulls: *mut bool) -> HeapTuple;
        pub fn HeapTupleHeaderGetDatum(row: HeapTupleHeader) -> Datum;
    }
}
