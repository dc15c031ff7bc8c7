//! Roles that no policy binds, and those that can become more than they are.

use super::Patient;

#[tokio::test]
async fn predefined_roles_let_ours_escape_and_so_does_the_owner_of_the_store() {
    let patient = Patient::new().await;
    let name = |what: &str| format!("{what}_{}", patient.db.name);
    let (clerk, staff) = (name("clerk"), name("staff"));
    patient.run(&format!("create role {staff}; create role {clerk} login in role identity_app, {staff}")).await;
    for group in [
        "pg_read_all_data",
        "pg_write_all_data",
        "pg_execute_server_program",
        "pg_read_server_files",
        "pg_write_server_files",
        "identity_owner",
    ] {
        // By itself, and through a group that it can become.
        patient
            .finds(
                &format!("grant {group} to {clerk}"),
                "role_escapes",
                &format!("role {clerk}"),
                &format!("role {clerk} is a member of {group}, and of identity_app"),
                &format!("revoke {group} from {clerk}"),
            )
            .await;
        patient
            .finds(
                &format!("grant {group} to {staff}"),
                "role_escapes",
                &format!("role {staff}"),
                &format!("role {staff} is a member of {group}, and {clerk} can become it"),
                &format!("revoke {group} from {staff}"),
            )
            .await;
    }
    // Reading statistics and settings is no escape, and neither is what somebody has who is none of ours.
    let other = name("other");
    patient.run(&format!("grant pg_monitor to {clerk}; create role {other} login in role pg_read_all_data")).await;
    for role in [&clerk, &other] {
        assert_eq!(patient.found("role_escapes", &format!("role {role}")).await, []);
    }
    patient.run(&format!("drop role {clerk}, {staff}, {other}")).await;
}

#[tokio::test]
async fn attributes_let_ours_escape() {
    let patient = Patient::new().await;
    let name = |what: &str| format!("{what}_{}", patient.db.name);
    let (clerk, boss) = (name("clerk"), name("boss"));
    patient.run(&format!("create role {boss}; create role {clerk} login in role identity_admin, {boss}")).await;
    for (attribute, what) in [
        ("createrole", "allowed to make roles, and before PostgreSQL 16 to give itself any"),
        ("replication", "allowed to copy the whole cluster"),
    ] {
        patient
            .finds(
                &format!("alter role {boss} {attribute}"),
                "role_escapes",
                &format!("role {boss}"),
                &format!("role {boss} is {what}, and {clerk} can become it"),
                &format!("alter role {boss} no{attribute}"),
            )
            .await;
    }
    let chief = name("chief");
    patient.run(&format!("create role {chief} superuser")).await;
    patient
        .finds(
            &format!("grant {chief} to {clerk}"),
            "role_escapes",
            &format!("role {clerk}"),
            &format!("role {clerk} is a member of {chief}, and of identity_admin"),
            &format!("revoke {chief} from {clerk}"),
        )
        .await;
    patient.run(&format!("drop role {clerk}, {boss}, {chief}")).await;
}

#[tokio::test]
async fn roles_that_no_policy_binds() {
    let patient = Patient::new().await;
    let clerk = format!("clerk_{}", patient.db.name);
    patient.run(&format!("create role {clerk}")).await;
    let object = format!("role {clerk}");
    for (attribute, code, finding) in [
        ("superuser", "role_superuser", format!("role {clerk} is a superuser")),
        ("bypassrls", "role_bypasses", format!("role {clerk} has the attribute BYPASSRLS")),
    ] {
        let remedy = format!("alter role {clerk} no{attribute}");
        patient.finds(&format!("alter role {clerk} {attribute}"), code, &object, &finding, &remedy).await;
    }
    patient
        .run(&format!(
            "create schema desk authorization {clerk}; set role {clerk}; create table desk.notes (user_id uuid);
             alter table desk.notes enable row level security; create policy p on desk.notes using (true); reset role"
        ))
        .await;
    let found = patient.found("role_owns_unforced", &object).await;
    assert_eq!(found[0].finding, format!("role {clerk} is not bound by the policies of 1 of its tables"));
    patient.run("alter table desk.notes force row level security").await;
    assert_eq!(patient.found("role_owns_unforced", &object).await, []);
    patient.run(&format!("drop schema desk cascade; drop role {clerk}")).await;
}

#[tokio::test]
async fn a_login_of_the_gateway_has_nothing_else() {
    let patient = Patient::new().await;
    let door = format!("door_{}", patient.db.name);
    patient
        .run(&format!(
            "create role {door} login in role identity_gateway; create table public.notes (a integer);
             create function public.f() returns integer language sql as 'select 1'; revoke all on function public.f() from public"
        ))
        .await;
    let database = &patient.db.name;
    for (spoil, what, remedy) in [
        (format!("alter role {door} superuser"), "is a superuser".into(), format!("alter role {door} nosuperuser")),
        (format!("alter role {door} createdb"), "may make databases".into(), format!("alter role {door} nocreatedb")),
        (
            format!("grant identity_app to {door}"),
            "is a member of identity_app".into(),
            format!("revoke identity_app from {door}"),
        ),
        (
            format!("grant select, insert on public.notes to {door}"),
            "may insert, select public.notes".into(),
            format!("revoke all on public.notes from {door}"),
        ),
        (
            format!("grant select (a), update (a) on public.notes to {door}"),
            "may select, update public.notes".into(),
            format!("revoke all on public.notes from {door}"),
        ),
        (
            format!(
                "grant insert on public.notes to {door}; grant insert (a), references (a) on public.notes to {door}"
            ),
            "may insert, references public.notes".into(),
            format!("revoke all on public.notes from {door}"),
        ),
        (
            format!("grant execute on function public.f() to {door}"),
            "may execute public.f()".into(),
            format!("revoke execute on function public.f() from {door}"),
        ),
        (
            format!("grant create on schema public to {door}"),
            "may create in schema public".to_owned(),
            format!("revoke create on schema public from {door}"),
        ),
        (
            format!("grant create on database {database} to {door}"),
            format!("may create schemas in database {database}"),
            format!("revoke create on database {database} from {door}"),
        ),
    ] {
        let object = format!("role {door}");
        let finding = format!("{object}, a login of the gateway, {what}");
        patient.finds(&spoil, "gateway_login_excess", &object, &finding, &remedy).await;
    }
    patient.run(&format!("drop role {door}")).await;
}
