//! The task store: the same promises on SQLite and on PostgreSQL.

#![expect(clippy::panic, reason = "a test that can't go on fails")]

mod claim;
mod hold;
mod lifetime;
mod outage;
mod race;
mod reading;
mod stage;
mod submit;

/// Makes a test of a function for each of the databases.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::tasks::store::stage::Stage::sqlite().await).await;
            })+
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::tasks::store::stage::Stage::postgres().await).await;
            })+
        }
    };
}

use on_both;
