//! The organization that an account is in.

use aws_sdk_organizations::types::AccountState;

use super::{Client, error};
use crate::iam::Error;

/// A row of ListAccounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedAccount {
    /// 12 digits.
    pub id: String,
    /// What the organization calls it.
    pub name: String,
    /// Whether it can be used; one that is pending, suspended or being closed cannot.
    pub is_active: bool,
}

impl Client {
    /// Organizations ListAccounts, all pages. Answered to the management account and to delegated administrators.
    ///
    /// # Errors
    ///
    /// As AWS refuses.
    pub async fn list_accounts(&self) -> Result<Vec<ListedAccount>, Error> {
        const ACTION: &str = "ListAccounts";
        let mut pages = self.organizations.list_accounts().into_paginator().send();
        let mut accounts = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| error::translate(ACTION, &error))?;
            for account in page.accounts() {
                let id = account.id().unwrap_or_default();
                if !crate::audit::is_account_id(id) {
                    return Err(error::incomplete(ACTION, "account ID"));
                }
                accounts.push(ListedAccount {
                    id: id.to_owned(),
                    name: account.name().unwrap_or_default().to_owned(),
                    // What is not said is asked: an account that cannot be used is refused, and that is told.
                    is_active: account.state().is_none_or(|state| *state == AccountState::Active),
                });
            }
        }
        Ok(accounts)
    }
}
