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
        }
    }
}

/// A database of one test. Dropped in the background when neither the test nor a gateway of it needs it any more.
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
        connect(cluster, Login::Superuser, "postgres")
            .await
            .batch_execute(&format!("create database {name} template template_identity"))
            .await
            .unwrap();
        let http_port = free_port();
        let lease = Arc::new(Lease {
            cluster,
            name: name.clone(),
        });
        let db = Database {
            name,
            http_port,
            issuer: format!("http://localhost:{http_port}"),
            cluster,
            lease,
        };
        // Privileges on the database itself are not cloned with it.
        db.superuser()
            .await
            .batch_execute(&format!("grant create on database {} to identity_owner", db.name))
            .await
            .unwrap();
        db.superuser()
            .await
            .execute("select identity.configure($1)", &[&db.issuer])
            .await
            .unwrap();
        db
    }

    /// A new connection.
    pub async fn connect(&self, login: Login) -> Client {
        connect(self.cluster, login, &self.name).await
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
        format!(
            "postgres://{}@127.0.0.1:{}/{}",
            login.role(),
            self.cluster.port,
            self.name
        )
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
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                for (cluster, name) in queue {
                    runtime.block_on(async {
                        let config = cluster.config(Login::Superuser.role(), "postgres");
                        let Ok((client, connection)) = config.connect(NoTls).await else {
                            return;
                        };
                        tokio::spawn(connection);
                        let _ = client
                            .batch_execute(&format!("drop database {name} with (force)"))
                            .await;
                    });
                }
            });
            Mutex::new(old)
        });
        let _ = janitor
            .lock()
            .unwrap()
            .send((self.cluster, std::mem::take(&mut self.name)));
    }
}

async fn connect(cluster: &Cluster, login: Login, database: &str) -> Client {
    let (client, connection) = cluster.config(login.role(), database).connect(NoTls).await.unwrap();
    // Ends with the client. An error of the connection reaches the client too.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    client
}
