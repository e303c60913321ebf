//! Notifications on macOS and Windows, with crate notify-rust: plain text, whose last line is the command to type.
//!
//! Buttons are left out there: on macOS a click is reported by its label and wants the main run loop, on Windows there are only blocking
//! calls, and neither could be tried.

use super::{About, Desktop, Error, Event, Notification};

/// The platform's own notifications.
#[derive(Debug, Default)]
pub struct Plain {}

/// The system itself shows notifications, and cannot be asked about it.
///
/// # Errors
///
/// None.
pub async fn about() -> Result<About, Error> {
    Ok(About {
        name: "the system's own".to_owned(),
        capabilities: Vec::new(),
    })
}

impl Desktop for Plain {
    async fn show(&mut self, notification: &Notification, _replaces: Option<u32>) -> Result<u32, Error> {
        let (title, body) = (notification.title.clone(), notification.body.clone());
        let shown = tokio::task::spawn_blocking(move || {
            notify_rust::Notification::new()
                .appname("keyagent")
                .summary(&title)
                .body(&body)
                .show()
                .map(drop)
                .map_err(|error| error.to_string())
        });
        match tokio::time::timeout(std::time::Duration::from_secs(5), shown).await {
            Ok(Ok(Ok(()))) => Ok(1),
            Ok(Ok(Err(why))) => Err(Error::NoServer(why)),
            Ok(Err(error)) => Err(Error::NoServer(error.to_string())),
            Err(_elapsed) => Err(Error::TimedOut),
        }
    }

    async fn event(&mut self) -> Event {
        std::future::pending().await
    }

    fn server(&self) -> Option<String> {
        None
    }

    async fn is_still_there(&mut self, _server: &str) -> bool {
        false
    }
}
