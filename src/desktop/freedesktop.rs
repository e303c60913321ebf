//! The desktop notifications of freedesktop.org, over the session bus.
//!
//! Speaks D-Bus itself, because a click here replaces a key, and any program on the bus can send one: only the signals of
//! the very server that was asked to show a notification count, by its unique name, and it is listened to before
//! it is asked. Every call is bounded, since a mute bus, or a server that dies, would hang it for ever.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use zbus::message::Type;
use zbus::names::UniqueName;
use zbus::zvariant::Value;
use zbus::{Connection, MatchRule, Message, MessageStream};

use super::{About, Button, Desktop, Error, Event, Notification, Urgency};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
const BUS: &str = "org.freedesktop.DBus";
/// A server answers in milliseconds; starting one takes a second or two.
const BOUND: Duration = Duration::from_secs(5);
/// Nobody clicks so often; what floods us is no user.
const MOST_EVENTS: usize = 16;

/// The desktop, connected to when the first notification is shown.
#[derive(Debug)]
pub struct Freedesktop {
    bus: Option<Bus>,
    server: Option<Server>,
    clicks: mpsc::Sender<Event>,
    events: mpsc::Receiver<Event>,
}

/// The session bus, on which it is watched who serves notifications.
#[derive(Debug)]
struct Bus {
    connection: Connection,
    /// How often that has changed since.
    changes: Arc<AtomicU64>,
    watcher: AbortHandle,
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

#[derive(Debug)]
struct Server {
    name: UniqueName<'static>,
    capabilities: BTreeSet<String>,
    /// Of the bus, when it was found: after one more it may be another that serves.
    changes: u64,
    listener: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Default for Freedesktop {
    fn default() -> Self {
        let (clicks, events) = mpsc::channel(MOST_EVENTS);
        Self {
            bus: None,
            server: None,
            clicks,
            events,
        }
    }
}

impl Freedesktop {
    async fn bus(&mut self) -> Result<&Bus, zbus::Error> {
        if self.bus.is_none() {
            let connection = zbus::connection::Builder::session()?.build().await?;
            let changes = Arc::<AtomicU64>::default();
            let owner = MatchRule::builder()
                .msg_type(Type::Signal)
                .sender(BUS)?
                .interface(BUS)?
                .member("NameOwnerChanged")?
                .add_arg(NAME)?
                .build();
            let owners = MessageStream::for_match_rule(owner, &connection, Some(MOST_EVENTS)).await?;
            let watching = watch(owners, changes.clone(), self.clicks.clone());
            self.bus = Some(Bus {
                connection,
                changes,
                watcher: tokio::spawn(watching).abort_handle(),
            });
        }
        Ok(self.bus.as_ref().expect("it was just set"))
    }

    /// The server that owns the name now, listened to; it is started if need be.
    async fn server(&mut self) -> Result<(Connection, &Server), zbus::Error> {
        let bus = self.bus().await?;
        let connection = bus.connection.clone();
        let changes = bus.changes.load(Ordering::SeqCst);
        if self
            .server
            .as_ref()
            .is_none_or(|server| server.changes != changes)
        {
            let (name, capabilities) = ask_who(&connection).await?;
            match &mut self.server {
                // It was only started by being asked. Listened to twice, each click would be two.
                Some(server) if server.name == name => server.changes = changes,
                Some(_) | None => {
                    let listener = listen(&connection, name.clone(), self.clicks.clone()).await?;
                    self.server = Some(Server {
                        name,
                        capabilities,
                        changes,
                        listener,
                    });
                }
            }
        }
        Ok((connection, self.server.as_ref().expect("it was just set")))
    }

    /// Who serves now, without starting anybody.
    async fn owner(&mut self) -> Result<String, zbus::Error> {
        let connection = self.bus().await?.connection.clone();
        // Asking for the owner starts no server, as asking the server itself may do.
        let reply = connection
            .call_method(
                Some(BUS),
                "/org/freedesktop/DBus",
                Some(BUS),
                "GetNameOwner",
                &NAME,
            )
            .await?;
        let owner: String = reply.body().deserialize()?;
        Ok(identity(&connection, &owner))
    }

    async fn notify(&mut self, notification: &Notification, replaces: u32) -> Result<u32, zbus::Error> {
        let (connection, server) = self.server().await?;
        let has = |capability: &str| server.capabilities.contains(capability);
        let mut actions = Vec::new();
        if has("actions") {
            for button in &notification.buttons {
                actions.extend([button.key(), button.label()]);
            }
        }
        let body = if has("body-markup") {
            escaped(&notification.body)
        } else {
            notification.body.clone()
        };
        let urgency: u8 = match notification.urgency {
            Urgency::Low => 0,
            Urgency::Normal => 1,
            Urgency::Critical => 2,
        };
        let hints = HashMap::from([
            ("urgency", Value::from(urgency)),
            ("desktop-entry", Value::from("keyagent")),
            ("category", Value::from("presence")),
        ]);
        // The server's own choice of how long it stays.
        let timeout: i32 = -1;
        let arguments = (
            "keyagent",
            replaces,
            "keyagent",
            notification.title.as_str(),
            body,
            actions,
            hints,
            timeout,
        );
        let reply = connection
            .call_method(Some(server.name.clone()), PATH, Some(NAME), "Notify", &arguments)
            .await?;
        reply.body().deserialize()
    }
}

/// Asks who would show a notification. Shows none; a server that the bus starts on demand is started.
///
/// # Errors
///
/// When nobody answers.
pub async fn about() -> Result<About, Error> {
    match tokio::time::timeout(BOUND, ask_about()).await {
        Ok(result) => result.map_err(|error| Error::NoServer(error.to_string())),
        Err(_elapsed) => Err(Error::TimedOut),
    }
}

async fn ask_about() -> Result<About, zbus::Error> {
    let connection = zbus::connection::Builder::session()?.build().await?;
    let ask = |method| connection.call_method(Some(NAME), PATH, Some(NAME), method, &());
    let (name, _vendor, version, _specification): (String, String, String, String) =
        ask("GetServerInformation").await?.body().deserialize()?;
    Ok(About {
        name: format!("{name} {version}"),
        capabilities: ask("GetCapabilities").await?.body().deserialize()?,
    })
}

impl Desktop for Freedesktop {
    async fn show(&mut self, notification: &Notification, replaces: Option<u32>) -> Result<u32, Error> {
        let shown = tokio::time::timeout(BOUND, self.notify(notification, replaces.unwrap_or(0))).await;
        match shown {
            Ok(Ok(id)) => Ok(id),
            Ok(Err(error)) => {
                // A connection that is broken once stays broken.
                self.server = None;
                if !matches!(error, zbus::Error::MethodError(..)) {
                    self.bus = None;
                }
                Err(Error::NoServer(error.to_string()))
            }
            Err(_elapsed) => {
                self.server = None;
                self.bus = None;
                Err(Error::TimedOut)
            }
        }
    }

    async fn event(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    fn server(&self) -> Option<String> {
        let (bus, server) = (self.bus.as_ref()?, self.server.as_ref()?);
        Some(identity(&bus.connection, &server.name))
    }

    async fn is_still_there(&mut self, server: &str) -> bool {
        let owner = tokio::time::timeout(BOUND, self.owner()).await;
        matches!(owner, Ok(Ok(owner)) if owner == server)
    }
}

/// A bus never gives a unique name twice, and has an identifier of its own.
fn identity(connection: &Connection, name: &str) -> String {
    format!("{} {name}", connection.server_guid())
}

/// Asks who serves notifications, starting it if need be, and what it can do.
async fn ask_who(connection: &Connection) -> Result<(UniqueName<'static>, BTreeSet<String>), zbus::Error> {
    let reply = connection
        .call_method(Some(NAME), PATH, Some(NAME), "GetCapabilities", &())
        .await?;
    let name = reply
        .header()
        .sender()
        .map(|name| name.to_owned())
        .ok_or_else(|| zbus::Error::Failure("an answer from nobody".into()))?;
    let capabilities: Vec<String> = reply.body().deserialize()?;
    Ok((name, capabilities.into_iter().collect()))
}

/// Listens to a server from here on, before anything is shown, and passes its clicks on.
async fn listen(
    connection: &Connection,
    server: UniqueName<'static>,
    clicks: mpsc::Sender<Event>,
) -> Result<AbortHandle, zbus::Error> {
    let signals = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(server.clone())?
        .path(PATH)?
        .interface(NAME)?
        .build();
    let mut signals = MessageStream::for_match_rule(signals, connection, Some(MOST_EVENTS)).await?;
    let listening = async move {
        while let Some(signal) = signals.next().await {
            let event = signal.ok().and_then(|message| event_of(&message, &server));
            if let Some(event) = event {
                // A full queue is a flood, and no user's.
                let _ = clicks.try_send(event);
            }
        }
    };
    Ok(tokio::spawn(listening).abort_handle())
}

/// Tells when the server leaves the bus and when one comes, for as long as the bus is there.
async fn watch(mut owners: MessageStream, changes: Arc<AtomicU64>, events: mpsc::Sender<Event>) {
    while let Some(message) = owners.next().await {
        let Some((before, now)) = message.ok().and_then(|message| owners_of(&message)) else {
            continue;
        };
        changes.fetch_add(1, Ordering::SeqCst);
        // Not as a click is: whoever is busy with a rotation hears of it afterwards.
        if !before.is_empty() && events.send(Event::ServerLeft).await.is_err() {
            return;
        }
        if !now.is_empty() && events.send(Event::ServerCame).await.is_err() {
            return;
        }
    }
    changes.fetch_add(1, Ordering::SeqCst);
    // Nobody is left to hear it where this fails.
    let _ = events.send(Event::ServerLeft).await;
}

/// Who owned the name before, and who does now, as the bus itself says.
fn owners_of(message: &Message) -> Option<(String, String)> {
    if message.header().sender()? != BUS {
        return None;
    }
    let (_name, before, now): (String, String, String) = message.body().deserialize().ok()?;
    Some((before, now))
}

/// A match rule keeps broadcasts of others away; a signal that is sent to us alone needs no rule, so its sender is
/// looked at here.
fn event_of(message: &Message, server: &UniqueName<'_>) -> Option<Event> {
    let header = message.header();
    if header.sender()? != server || header.interface()?.as_str() != NAME {
        return None;
    }
    match header.member()?.as_str() {
        "ActionInvoked" => {
            let (id, key): (u32, String) = message.body().deserialize().ok()?;
            let button = Button::ALL.into_iter().find(|button| button.key() == key)?;
            Some(Event::Clicked { id, button })
        }
        "NotificationClosed" => {
            let (id, _why): (u32, u32) = message.body().deserialize().ok()?;
            Some(Event::Closed { id })
        }
        _ => None,
    }
}

/// A server with markup would read a profile's name as such.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(sender: &str) -> Message {
        Message::signal(PATH, NAME, "ActionInvoked")
            .unwrap()
            .sender(sender)
            .unwrap()
            .build(&(7_u32, "rotate-now"))
            .unwrap()
    }

    #[test]
    fn only_the_server_that_was_asked_can_click() {
        let server = UniqueName::try_from(":1.5").unwrap();
        assert_eq!(
            event_of(&signal(":1.5"), &server),
            Some(Event::Clicked {
                id: 7,
                button: Button::RotateNow
            })
        );
        assert_eq!(event_of(&signal(":1.6"), &server), None);
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(escaped("<b>&"), "&lt;b&gt;&amp;");
    }
}
