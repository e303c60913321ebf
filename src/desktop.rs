//! Notifications on the user's desktop: what one is, and the one trait through which they are shown.
//! Shows what it is given and reports clicks; decides nothing.

use std::future::Future;

use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
mod freedesktop;
#[cfg(target_os = "linux")]
pub use freedesktop::{Freedesktop as PlatformDesktop, about};
#[cfg(any(target_os = "macos", windows))]
mod plain;
#[cfg(any(target_os = "macos", windows))]
pub use plain::{Plain as PlatformDesktop, about};
pub mod pinentry;

/// How loud a notification is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// It may be missed.
    Low,
    /// It should be seen.
    #[default]
    Normal,
    /// It stays until it is dismissed.
    Critical,
}

/// What can be clicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    /// Replaces the keys.
    RotateNow,
    /// Comes back tomorrow.
    Tomorrow,
    /// Comes back in a week.
    NextWeek,
    /// Says more.
    Details,
    /// Takes a rotation back.
    Undo,
}

impl Button {
    /// Every one, for reading a key back.
    pub const ALL: [Self; 5] = [
        Self::RotateNow,
        Self::Tomorrow,
        Self::NextWeek,
        Self::Details,
        Self::Undo,
    ];

    /// Its name on the wire.
    pub fn key(self) -> &'static str {
        match self {
            Self::RotateNow => "rotate-now",
            Self::Tomorrow => "tomorrow",
            Self::NextWeek => "next-week",
            Self::Details => "details",
            Self::Undo => "undo",
        }
    }

    /// What the user reads.
    pub fn label(self) -> &'static str {
        match self {
            Self::RotateNow => "Rotate now",
            Self::Tomorrow => "Tomorrow",
            Self::NextWeek => "In a week",
            Self::Details => "Details",
            Self::Undo => "Undo",
        }
    }
}

/// What is shown. No secret may be in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// One line.
    pub title: String,
    /// Plain text; markup is escaped where the server would read it.
    pub body: String,
    /// Left out where the server has none.
    pub buttons: Vec<Button>,
    /// How loud.
    pub urgency: Urgency,
}

/// What a user did with a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A button was clicked, as the server says that was asked to show it.
    Clicked {
        /// The notification.
        id: u32,
        /// Which button.
        button: Button,
    },
    /// It is gone from the screen.
    Closed {
        /// The notification.
        id: u32,
    },
    /// The server has left, and with it all that it showed.
    ServerLeft,
    /// A server is there that was not before.
    ServerCame,
}

/// Why nothing is shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no bus, no server, or it refuses.
    #[error("no notification server: {0}")]
    NoServer(String),
    /// A mute bus would be waited for for ever.
    #[error("the notification server does not answer")]
    TimedOut,
}

/// A notification server, as it tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Its name and version: `dunst 1.12.2`.
    pub name: String,
    /// What it can do, in the words of freedesktop.org: `actions`, `body-markup`. Nothing where that cannot be asked.
    pub capabilities: Vec<String>,
}

/// Where notifications are shown.
pub trait Desktop {
    /// Shows one, in the place of another if that is given, and says its number.
    fn show(
        &mut self,
        notification: &Notification,
        replaces: Option<u32>,
    ) -> impl Future<Output = Result<u32, Error>>;

    /// The next click. Waits for ever where there is none.
    fn event(&mut self) -> impl Future<Output = Event>;

    /// A name for the server that has shown the last one, by which another process can know it again; `None` where that
    /// cannot be told.
    fn server(&self) -> Option<String>;

    /// Whether the server of this name still serves: what an earlier process had it show may be on the screen.
    fn is_still_there(&mut self, server: &str) -> impl Future<Output = bool>;
}
