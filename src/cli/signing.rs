//! Who signs an administrator's calls: the key behind the profile that was chosen, the session that MFA opens, and the
//! role that the profile assumes. Asks nobody for a code before a call is to be signed.

use super::profiles;
use super::rotations::{MfaArgs, connection, load_settings, with_mfa};
use crate::access_key::AccessKeyId;
use crate::aws::{Client, Connections};
use crate::credentials::profile::{Holds, Profile, role_chain};
use crate::iam::{self, Caller, CallerIdentity, Iam, Role, UserName};
use crate::problem::{Problem, word};
use crate::process::Environment;
use crate::rotate::authority::{Authority, signer};
use crate::rotate::error::Error;
use crate::settings::Settings;

/// What is to be signed.
#[derive(Clone, Copy, Debug)]
pub struct Purpose<'a> {
    /// What it is for: `disable keys`.
    pub what: &'a str,
    /// The profile that was typed.
    pub profile: Option<&'a str>,
    /// What was typed, without the profile and without what answers questions.
    pub command: &'a str,
    /// What answers them: ` --yes`.
    pub answers: &'a str,
    /// The policy that the signer needs, as `keyagent policy` names it.
    pub policy: &'a str,
    /// Many calls: AWS's limits are met with patience, and sessions last longer.
    pub is_patient: bool,
    /// What opens an MFA session.
    pub mfa: &'a MfaArgs,
}

/// Who signs, and with what.
pub struct Signer<'a> {
    /// The profile that was chosen.
    pub profile: String,
    /// As GetCallerIdentity answers for the key; of a profile that assumes a role, the role's ARN and account.
    pub identity: CallerIdentity,
    /// The key behind it all.
    pub own_key: AccessKeyId,
    /// The settings of the profile that holds the key.
    pub settings: Settings,
    purpose: Purpose<'a>,
    key: Client,
    /// The key's user; `None` for the root user.
    user_name: Option<UserName>,
    mfa_serial: Option<String>,
    /// In the order in which they are assumed.
    roles: Vec<Role>,
    authority: Option<Authority<Client>>,
}

impl<'a> Purpose<'a> {
    /// Finds the profile and the key, and asks whose it is.
    ///
    /// # Errors
    ///
    /// When there is none, or AWS does not take it.
    pub async fn signer(self, environment: &Environment) -> Result<Signer<'a>, Problem> {
        let loaded = profiles::load(environment)?;
        let typed: Vec<String> = self.profile.iter().map(|&name| name.to_owned()).collect();
        let names = profiles::chosen(&typed, environment);
        let named = profiles::named(&loaded, &names, self.command)?[0];
        let what = self.cannot(&named.name);
        let (holder, assuming) = role_chain(&loaded.profiles, named).map_err(|why| {
            let hint = "name a profile with an administrator's key: keyagent status --offline";
            Problem::new(&what, why, hint)
        })?;
        let Holds::LongTermKey { access_key, .. } = &holder.holds else {
            unreachable!("a key holder holds a key")
        };
        let settings = load_settings(environment)?.profile(&holder.name).clone();
        let mut reach = connection(&Connections::new(environment), &holder.name).await?;
        if self.is_patient {
            reach = reach.patient();
        }
        let key = Client::new(&reach, access_key);
        let mut identity = key
            .get_caller_identity()
            .await
            .map_err(|error| error.problem(&what, &holder.name))?;
        let user_name = match identity.caller() {
            Caller::User(user_name) => Some(user_name),
            Caller::Root | Caller::Other => None,
        };
        let roles: Vec<Role> = assuming.into_iter().filter_map(role_of).collect();
        if let Some(role) = roles.last() {
            identity.arn.clone_from(&role.arn);
            role.account_id()
                .unwrap_or_default()
                .clone_into(&mut identity.account_id);
        }
        Ok(Signer {
            profile: named.name.clone(),
            identity,
            own_key: access_key.id.clone(),
            mfa_serial: mfa_serial(&settings, holder, named),
            settings,
            purpose: self,
            key,
            user_name,
            roles,
            authority: None,
        })
    }

    fn cannot(&self, profile: &str) -> String {
        format!("cannot {} with profile {profile}", self.what)
    }

    /// The command with the profile, to be pasted.
    pub fn typed(&self) -> String {
        match self.profile {
            Some(profile) => format!("{} -p {}", self.command, word(profile)),
            None => self.command.to_owned(),
        }
    }
}

impl Signer<'_> {
    /// Whether a user signs, or a role that one assumes; not the root user.
    pub fn is_administrator(&self) -> bool {
        self.user_name.is_some()
    }

    /// What signs. `first` is a call that is refused where MFA is demanded; it is made as long as the bare key signs, and
    /// not at all where a role is assumed, for that call comes first.
    ///
    /// # Errors
    ///
    /// When the role is refused; when MFA is needed and no code is there. Refusals of `first` itself only where it says so.
    pub async fn authority(
        &mut self,
        first: impl AsyncFn(&Client) -> Result<(), iam::Error>,
    ) -> Result<&Authority<Client>, Problem> {
        let is_settled =
            |authority: &Authority<Client>| authority.mfa_serial.is_some() || !self.roles.is_empty();
        if !self.authority.as_ref().is_some_and(is_settled) {
            let opened = self.open(first).await;
            self.authority = Some(opened.map_err(|error| self.problem(&error))?);
        }
        Ok(self.authority.as_ref().expect("it was opened above"))
    }

    async fn open(
        &self,
        first: impl AsyncFn(&Client) -> Result<(), iam::Error>,
    ) -> Result<Authority<Client>, Error> {
        let Some(user_name) = &self.user_name else {
            return Ok(Authority {
                iam: self.key.clone(),
                mfa_serial: None,
            });
        };
        let mfa = self.purpose.mfa;
        let (mut authority, session) =
            with_mfa(self.mfa_serial.clone(), mfa.mfa_code.clone(), mfa, async |mfa| {
                signer(&self.key, user_name, mfa, async |iam: &Client| {
                    match self.roles.first() {
                        Some(role) => iam.assume_role(role).await.map(Some),
                        None => first(iam).await.map(|()| None),
                    }
                })
                .await
            })
            .await?;
        if let Some(session) = session {
            authority.iam = authority.iam.in_session(&session);
        }
        for role in self.roles.iter().skip(1) {
            let session = authority.iam.assume_role(role).await?;
            authority.iam = authority.iam.in_session(&session);
        }
        Ok(authority)
    }

    fn problem(&self, error: &Error) -> Problem {
        let purpose = &self.purpose;
        let mut problem = error.problem(purpose.cannot(&self.profile), &self.profile);
        if problem.hint.ends_with("keyagent policy self") {
            problem.hint = format!("ask for what this prints: keyagent policy {}", purpose.policy);
        }
        if let Error::MfaNeeded(_) = error {
            let typed = purpose.typed();
            problem.hint = format!("give a code: {typed}{} --mfa-code CODE", purpose.answers);
        }
        problem
    }
}

/// The device that opens a session for the key of `holder`, when `named` is the profile that was chosen.
pub fn mfa_serial(settings: &Settings, holder: &Profile, named: &Profile) -> Option<String> {
    let serials = [&settings.mfa_serial, &holder.mfa_serial, &named.mfa_serial];
    serials.into_iter().flatten().next().cloned()
}

fn role_of(profile: &Profile) -> Option<Role> {
    let session_name = profile.role_session_name.as_deref();
    Some(Role {
        arn: profile.role_arn.clone()?,
        session_name: session_name.unwrap_or(Role::SESSION_NAME).to_owned(),
        external_id: profile.external_id.clone(),
    })
}
