//! Who signs the calls that manage keys: a key of the user, or, where policies demand MFA, a session that the key
//! opened with one code. A code works once, so one session serves for the whole rotation.

use super::error::Error;
use crate::access_key::AccessKey;
use crate::iam::{self, AccessKeyMetadata, ErrorKind, Iam, UserName};

/// What signs.
#[derive(Clone, Debug)]
pub struct Authority<I> {
    /// Signs the calls.
    pub iam: I,
    /// The device whose code opened the session; `None` where the key itself signs.
    pub mfa_serial: Option<String>,
}

impl<I: Iam> Authority<I> {
    /// Signs with `key`, unless a session signs: a policy that demands MFA refuses a bare key.
    pub fn or_key(&self, key: &AccessKey) -> I {
        if self.mfa_serial.is_some() {
            self.iam.clone()
        } else {
            self.iam.signed_by(key)
        }
    }
}

/// Asks a person for a code of the device of that serial number; `None` when nothing was typed.
pub type AskForCode<'a> = &'a mut dyn FnMut(&str) -> Option<String>;

/// Where a code comes from.
pub struct Mfa<'a> {
    /// The device, as the settings or the profile name it.
    pub serial_number: Option<String>,
    /// The code that was typed with the command.
    pub code: Option<String>,
    /// `None` where nobody can be asked.
    pub ask: Option<AskForCode<'a>>,
}

/// Lists the user's keys with the key that `iam` signs with, or in a session where that is refused.
///
/// # Errors
///
/// See [`signer`].
pub async fn authorize<I: Iam>(
    iam: &I,
    user_name: &UserName,
    mfa: &mut Mfa<'_>,
) -> Result<(Authority<I>, Vec<AccessKeyMetadata>), Error> {
    signer(iam, user_name, mfa, async |iam| {
        iam.list_access_keys(Some(user_name)).await
    })
    .await
}

/// Makes a first call with the key of `user_name`, which `iam` signs with, or in a session where that is refused.
///
/// A session is opened at once when a code was given, or a device is named and somebody can be asked; otherwise
/// only after a refusal.
///
/// # Errors
///
/// AWS's refusals; [`Error::MfaNeeded`], [`Error::OnlyFido`].
pub async fn signer<I: Iam, T>(
    iam: &I,
    user_name: &UserName,
    mfa: &mut Mfa<'_>,
    call: impl AsyncFn(&I) -> Result<T, iam::Error>,
) -> Result<(Authority<I>, T), Error> {
    let at_once = mfa.code.is_some() || (mfa.serial_number.is_some() && mfa.ask.is_some());
    let mut refusal = None;
    if !at_once {
        match call(iam).await {
            Ok(answer) => {
                let authority = Authority {
                    iam: iam.clone(),
                    mfa_serial: None,
                };
                return Ok((authority, answer));
            }
            Err(error) if matches!(error.kind, ErrorKind::AccessDenied { .. }) => {
                refusal = Some(Error::Iam(error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let serial = match &mfa.serial_number {
        Some(serial) if is_fido(serial) => return Err(Error::OnlyFido(serial.clone())),
        Some(serial) => serial.clone(),
        None => device(iam, user_name, refusal).await?,
    };
    let session = open_session(iam, &serial, mfa).await?;
    let answer = call(&session).await?;
    let authority = Authority {
        iam: session,
        mfa_serial: Some(serial),
    };
    Ok((authority, answer))
}

/// The user's first device that shows codes. Without one, `refusal` tells what went wrong in the first place.
async fn device(iam: &impl Iam, user_name: &UserName, refusal: Option<Error>) -> Result<String, Error> {
    let serials = match (iam.list_mfa_devices(user_name).await, refusal) {
        (Ok(serials), Some(refusal)) if serials.is_empty() => return Err(refusal),
        (Ok(serials), None) if serials.is_empty() => return Err(Error::NoMfaDevice(user_name.clone())),
        (Ok(serials), _) => serials,
        (Err(_), Some(refusal)) => return Err(refusal),
        (Err(error), None) => return Err(error.into()),
    };
    match serials.iter().find(|serial| !is_fido(serial)) {
        Some(serial) => Ok(serial.clone()),
        None => Err(Error::OnlyFido(serials[0].clone())),
    }
}

/// Security keys and passkeys answer a challenge in a browser; STS takes only codes.
fn is_fido(serial: &str) -> bool {
    serial.contains(":u2f/")
}

/// A wrong code is asked for once more, where somebody can be asked.
async fn open_session<I: Iam>(iam: &I, serial: &str, mfa: &mut Mfa<'_>) -> Result<I, Error> {
    let mut tries = 0;
    loop {
        tries += 1;
        let typed = mfa.code.take();
        let code = match (typed, &mut mfa.ask) {
            (Some(code), _) => code,
            (None, Some(ask)) => ask(serial).ok_or_else(|| Error::MfaNeeded(serial.to_owned()))?,
            (None, None) => return Err(Error::MfaNeeded(serial.to_owned())),
        };
        match iam.get_session_token(serial, code.trim()).await {
            Ok(session) => return Ok(iam.in_session(&session)),
            Err(error) if error.kind == ErrorKind::InvalidMfaCode && tries < 2 && mfa.ask.is_some() => {}
            Err(error) => return Err(error.into()),
        }
    }
}
