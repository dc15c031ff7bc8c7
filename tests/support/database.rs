//! A database per test: a clone of the template in which the extension, the store and the logins are ready, with an
//! issuer of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};

use tokio_postgres::{Client, NoTls};

use crate::cluster::{Cluster, free_port};

/// Who connects. Each but the superuser inherits one group role and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// `postgres`.
    Superuser,
    /// `migrate_login`: identity_owner.
    Migrate,
    /// `gateway_login`: identity_gateway.
    Gateway,
    /// `admin_login`: identity_admin.
    Admin,
    /// `app_login`: identity_app.
    App,
    /// `sync_login`: identity_sync.
    Sync,
}

impl Login {
    /// The role's name.
    pub fn role(self) -> &'static str {
        match self {
            Login::Superuser => "postgres",
            Login::Migrate => "migrate_login",
            Login::Gateway => "gateway_login",
            Login::Admin => "admin_login",
            Login::App => "app_login",
            Login::Sync => "sync_login",
        }
    }
}

/// A database of one test. Dropped in the background when the test, its connections and its gateways are done with it.
pub struct Database {
    /// Its name.
    pub name: String,
    /// The port that its gateway listens on.
    pub http_port: u16,
    /// `http://localhost:<http_port>`: what `identity.configured_issuer()` answers.
    pub issuer: String,
    /// The server it lives in.
    pub cluster: &'static Cluster,
    pub(crate) lease: Arc<Lease>,
}

impl Database {
    /// A clone of the template on the shared cluster.
    pub async fn new() -> Database {
        Database::on(Cluster::shared()).await
    }

    /// A clone of the template on this cluster.
    pub async fn on(cluster: &'static Cluster) -> Database {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        as_superuser(cluster, &format!("create database {name} template template_identity")).await.unwrap();
        let http_port = free_port();
        let lease = Arc::new(Lease { cluster, name: name.clone() });
        let db = Database { name, http_port, issuer: format!("http://localhost:{http_port}"), cluster, lease };
        // Privileges on the database itself are not cloned with it.
        db.superuser()
            .await
            .batch_execute(&format!("grant create on database {} to identity_owner", db.name))
            .await
            .unwrap();
        db.superuser().await.execute("select identity.configure($1)", &[&db.issuer]).await.unwrap();
        db
    }

    /// The database of the same name and issuer in another cluster, which was made from this one's.
    pub fn in_cluster(&self, cluster: &'static Cluster) -> Database {
        let (name, issuer) = (self.name.clone(), self.issuer.clone());
        let lease = Arc::new(Lease { cluster, name: name.clone() });
        Database { name, http_port: self.http_port, issuer, cluster, lease }
    }

    /// A new connection. The database stays as long as it does.
    pub async fn connect(&self, login: Login) -> Client {
        let (client, connection) = self.cluster.config(login.role(), &self.name).connect(NoTls).await.unwrap();
        let lease = self.lease.clone();
        // Ends with the client. An error of the connection reaches the client too.
        tokio::spawn(async move {
            let _ = connection.await;
            drop(lease);
        });
        client
    }

    /// A new connection of the superuser.
    pub async fn superuser(&self) -> Client {
        self.connect(Login::Superuser).await
    }

    /// A new connection that inherits identity_admin.
    pub async fn admin(&self) -> Client {
        self.connect(Login::Admin).await
    }

    /// A new connection that inherits identity_app.
    pub async fn app(&self) -> Client {
        self.connect(Login::App).await
    }

    /// A new connection that inherits identity_gateway.
    pub async fn gateway_role(&self) -> Client {
        self.connect(Login::Gateway).await
    }

    /// A new connection that acts as identity_owner.
    pub async fn owner(&self) -> Client {
        let client = self.connect(Login::Migrate).await;
        client.batch_execute("set role identity_owner").await.unwrap();
        client
    }

    /// The URL of this database for a login.
    pub fn url(&self, login: Login) -> String {
        format!("postgres://{}@127.0.0.1:{}/{}", login.role(), self.cluster.port, self.name)
    }
}

/// Who holds one keeps the database.
pub(crate) struct Lease {
    cluster: &'static Cluster,
    name: String,
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Hundreds of databases would fill the memory that the cluster lives in. One thread drops them, one by one, and
        // whatever goes wrong there is none of a test's business: the cluster goes with all of them in the end.
        type Old = (&'static Cluster, String);
        static JANITOR: OnceLock<Mutex<mpsc::Sender<Old>>> = OnceLock::new();
        let janitor = JANITOR.get_or_init(|| {
            let (old, queue) = mpsc::channel::<Old>();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                for (cluster, name) in queue {
                    let drop = format!("drop database {name} with (force)");
                    let _ = runtime.block_on(as_superuser(cluster, &drop));
                }
            });
            Mutex::new(old)
        });
        let _ = janitor.lock().unwrap().send((self.cluster, std::mem::take(&mut self.name)));
    }
}

async fn as_superuser(cluster: &Cluster, statement: &str) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = cluster.config(Login::Superuser.role(), "postgres").connect(NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute(statement).await
}
