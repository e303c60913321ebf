//! An MFA code asked for in a window, with the program that the desktop has for secrets: pinentry.

use pinentry::PassphraseInput;
use secrecy::ExposeSecret as _;

/// Seconds that the window stays: a code is good for 30, and somebody may have to find the device first.
const PATIENCE: u16 = 120;

/// Asks for the code of a device. `None` where there is no pinentry, nobody answers or the window is closed.
pub fn ask_mfa_code(serial: &str) -> Option<String> {
    let description = format!("keyagent rotates an AWS access key.\nThe MFA device is {serial}");
    let mut input = PassphraseInput::with_default_binary()?;
    input
        .with_title("keyagent")
        .with_description(&description)
        .with_prompt("MFA code:")
        .with_timeout(PATIENCE);
    let code = input.interact().ok()?;
    let code = code.expose_secret().trim();
    (!code.is_empty()).then(|| code.to_owned())
}
