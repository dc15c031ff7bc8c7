//! A row for a partitioned table, without a plan: what `row_by_id` is for reading.
//!
//! The line of audit that every token leaves. As a statement it takes PostgreSQL three times as long, most of it to get ready.
//! Same row, same rules as `insert into t select (row).*`: the partition that holds the id, constraints and indexes, by PostgreSQL's own
//! functions. A table that asks for more (a trigger, a policy, a generated column) is refused. Only identity_owner may call it, for
//! tables into which it may insert.

use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::pg_sys::{Datum, Oid, Relation, ResultRelInfo, TupleTableSlot};

use crate::errors::Error;
use crate::native::{VERSION_1, answer};
use crate::row_by_id::{by_ranges_of_its_id, calls, partition};
use crate::rows::raw;

#[unsafe(export_name = "pg_finfo_row_insert_wrapper")]
extern "C" fn version() -> *const pg_sys::Pg_finfo_record {
    &VERSION_1
}

/// `row_insert(new)`: not by `sql_function!`, because the type of `new` says which table.
#[unsafe(export_name = "row_insert_wrapper")]
unsafe extern "C-unwind" fn wrapper(call: pg_sys::FunctionCallInfo) -> Datum {
    // SAFETY: PostgreSQL calls this with a valid call of one argument.
    unsafe {
        answer(call, |_| {
            let Some(new) = (*call).args.as_slice(1).first().filter(|new| !new.isnull) else { return Ok(None) };
            let new = new.value;
            let inserted = pg_guard_ffi_boundary(|| {
                pg_sys::PreventCommandIfReadOnly(c"row_insert()".as_ptr());
                let table = calls::typeidTypeRelid(calls::get_fn_expr_argtype((*call).flinfo, 0));
                if table == pg_sys::InvalidOid { Err("row_insert: not the row of a table") } else { insert(table, new) }
            });
            inserted.map(|()| Some(true)).map_err(Error::internal)
        })
    }
}

/// # Safety
/// Inside a guard; `new` is a row of the table `of`.
unsafe fn insert(of: Oid, new: Datum) -> Result<(), &'static str> {
    // SAFETY: passed on from the caller; on errors PostgreSQL closes and frees. Locks are kept until the transaction ends, as an
    // INSERT keeps them.
    unsafe {
        let table = raw::table_open(of, LOCK);
        let insert = pg_sys::ACL_INSERT as pg_sys::AclMode;
        if inner::pg_class_aclcheck(of, calls::GetUserId(), insert) != pg_sys::AclResult::ACLCHECK_OK {
            return Err("row_insert: a table into which the caller may not insert");
        }
        if (*(*table).rd_rel).relkind as u8 != pg_sys::RELKIND_PARTITIONED_TABLE || !by_ranges_of_its_id(table) {
            return Err("row_insert: a table is not partitioned by ranges of its primary key, a uuid");
        }
        let row = raw::table_slot_create(table, std::ptr::null_mut());
        inner::ExecStoreHeapTupleDatum(new, row);
        let place = usize::try_from(*(*calls::RelationGetPartitionKey(table)).numbers - 1).unwrap_or_default();
        if *(*row).tts_isnull.add(place) {
            return Err("row_insert: the id is NULL");
        }
        let id = std::slice::from_raw_parts((*(*row).tts_values.add(place)).cast_mut_ptr::<u8>(), 16);
        let Some(leaf) = partition(table, id) else { return Err("row_insert: there is no partition for the row") };
        let leaf = raw::table_open(leaf, LOCK);
        let inserted = insert_into(table, leaf, row);
        raw::ExecDropSingleTupleTableSlot(row);
        raw::table_close(leaf, KEPT);
        raw::table_close(table, KEPT);
        inserted
    }
}

/// # Safety
/// As [`insert`]; both are open and `row` is a row of `table` for this partition.
unsafe fn insert_into(table: Relation, leaf: Relation, row: *mut TupleTableSlot) -> Result<(), &'static str> {
    // SAFETY: passed on from the caller; the description lives as long as the relation is open.
    unsafe {
        let ((of_table, of_leaf), of_class) = (((*table).rd_att, (*leaf).rd_att), (*leaf).rd_rel);
        let constraints = (*of_leaf).constr;
        if (*of_class).relkind as u8 != pg_sys::RELKIND_RELATION
            || (*of_class).relrowsecurity
            || !(*leaf).trigdesc.is_null()
            || !constraints.is_null() && (*constraints).has_generated_stored
        {
            return Err("row_insert: a table has partitions of partitions, a policy, a trigger or a generated column");
        }
        let Some(tuple_insert) = (*leaf).rd_tableam.as_ref().and_then(|methods| methods.tuple_insert) else {
            return Err("row_insert: a table without methods");
        };
        // A partition may have its columns in other places: one that was attached, or a table that lost a column.
        let map = calls::convert_tuples_by_name(of_table, of_leaf);
        let row = match map.as_ref() {
            None => row,
            Some(map) => {
                inner::execute_attr_map_slot(map.attrMap, row, raw::table_slot_create(leaf, std::ptr::null_mut()))
            }
        };
        let state = inner::CreateExecutorState();
        let target = pg_sys::palloc0(size_of::<ResultRelInfo>()).cast::<ResultRelInfo>();
        (*target).type_ = pg_sys::NodeTag::T_ResultRelInfo;
        inner::InitResultRelInfo(target, leaf, 0, std::ptr::null_mut(), 0);
        inner::ExecOpenIndices(target, false);
        if !constraints.is_null() {
            inner::ExecConstraints(target, row, state);
        }
        tuple_insert(leaf, row, calls::GetCurrentCommandId(true), 0, std::ptr::null_mut());
        if (*target).ri_NumIndices > 0 {
            index(target, row, state);
        }
        inner::ExecCloseIndices(target);
        inner::FreeExecutorState(state);
        Ok(())
    }
}

/// # Safety
/// As [`insert_into`]; the indexes of the target are open.
unsafe fn index(target: *mut ResultRelInfo, row: *mut TupleTableSlot, state: *mut pg_sys::EState) {
    // SAFETY: passed on from the caller.
    unsafe {
        #[cfg(feature = "pg15")]
        pg_sys::ExecInsertIndexTuples(target, row, state, false, false, std::ptr::null_mut(), std::ptr::null_mut());
        #[cfg(not(feature = "pg15"))]
        pg_sys::ExecInsertIndexTuples(
            target,
            row,
            state,
            false,
            false,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            false,
        );
    }
}

/// How relations are locked while rows are written, as by INSERT.
const LOCK: pg_sys::LOCKMODE = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
const KEPT: pg_sys::LOCKMODE = pg_sys::NoLock as pg_sys::LOCKMODE;

/// As those of `rows::raw`.
mod inner {
    use pgrx::pg_sys::{
        AclMode, AclResult, AttrMap, Datum, EState, Index, Oid, Relation, ResultRelInfo, TupleTableSlot,
    };

    unsafe extern "C-unwind" {
        pub fn ExecStoreHeapTupleDatum(row: Datum, slot: *mut TupleTableSlot);
        pub fn execute_attr_map_slot(
            map: *mut AttrMap,
            from: *mut TupleTableSlot,
            to: *mut TupleTableSlot,
        ) -> *mut TupleTableSlot;
        pub fn pg_class_aclcheck(table: Oid, role: Oid, mode: AclMode) -> AclResult::Type;
        pub fn CreateExecutorState() -> *mut EState;
        pub fn FreeExecutorState(state: *mut EState);
        pub fn InitResultRelInfo(
            target: *mut ResultRelInfo,
            table: Relation,
            place: Index,
            root: *mut ResultRelInfo,
            instrument: i32,
        );
        pub fn ExecOpenIndices(target: *mut ResultRelInfo, speculative: bool);
        pub fn ExecCloseIndices(target: *mut ResultRelInfo);
        pub fn ExecConstraints(target: *mut ResultRelInfo, row: *mut TupleTableSlot, state: *mut EState);
    }
}
