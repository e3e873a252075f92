//! `ports::merchants`: merchant accounts with their sealed secrets, and who may call ingest.

use async_trait::async_trait;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{EntityTrait, IntoActiveModel, Iterable, QueryOrder};

use super::entity::{client, merchant};
use super::error::{Corrupt, corrupt, store_error};
use super::payment_rows::count;
use super::{Database, wire};
use crate::domain::ids::MerchantAccountId;
use crate::domain::merchant::{Api, MerchantAccount, Reauthorize, Region};
use crate::ports::merchants::{ApiClient, MerchantRow, MerchantStore};
use crate::ports::store::StoreError;
use crate::ports::vault::Sealed;

impl From<&MerchantRow> for merchant::Model {
    fn from(row: &MerchantRow) -> Self {
        let MerchantAccount {
            id,
            title,
            soft_descriptor,
            mid_number,
            region,
            sandbox,
            api,
            seller_id,
            enabled,
            reauthorize,
            revision,
        } = row.merchant.clone();
        Self {
            id: id.to_string(),
            title,
            soft_descriptor,
            mid_number,
            region: region.as_str().to_owned(),
            sandbox,
            api: api.as_str().to_owned(),
            seller_id,
            enabled,
            reauthorize: reauthorize.enabled,
            reauthorize_window_s: i64::try_from(reauthorize.window_s).unwrap_or(i64::MAX),
            reauthorize_max: i64::from(reauthorize.max),
            revision,
            secrets: row.secrets.0.clone(),
        }
    }
}

impl merchant::Model {
    fn row(self) -> Result<MerchantRow, StoreError> {
        let id = self.id.clone();
        self.read().map_err(|corrupt| corrupt.of("merchant account", &id))
    }

    fn read(self) -> Result<MerchantRow, Corrupt> {
        let window_s = u64::try_from(self.reauthorize_window_s);
        let merchant = MerchantAccount {
            id: MerchantAccountId::new(self.id).map_err(|_| corrupt("id"))?,
            title: self.title,
            soft_descriptor: self.soft_descriptor,
            mid_number: self.mid_number,
            region: Region::parse(&self.region).ok_or(corrupt("region"))?,
            sandbox: self.sandbox,
            api: Api::parse(&self.api).ok_or(corrupt("api"))?,
            seller_id: self.seller_id,
            enabled: self.enabled,
            reauthorize: Reauthorize {
                enabled: self.reauthorize,
                window_s: window_s.map_err(|_| corrupt("reauthorize_window_s"))?,
                max: count(self.reauthorize_max, "reauthorize_max")?,
            },
            revision: self.revision,
        };
        Ok(MerchantRow { merchant, secrets: Sealed(self.secrets) })
    }
}

impl client::Model {
    fn client(self) -> Result<ApiClient, StoreError> {
        let mids = wire::mids(&self.mids);
        Ok(ApiClient {
            mids: mids.map_err(|corrupt| corrupt.of("api client", &self.login_id))?,
            login_id: self.login_id,
            name: self.name,
            password_hash: self.password_hash,
            api_key_hash: self.api_key_hash,
            revoked: self.revoked,
        })
    }
}

#[async_trait]
impl MerchantStore for Database {
    async fn merchant(&self, id: &MerchantAccountId) -> Result<Option<MerchantRow>, StoreError> {
        let select = merchant::Entity::find_by_id(id.as_str());
        let found = self.ask(|| select.clone().one(&self.read)).await?;
        found.map(merchant::Model::row).transpose()
    }

    async fn merchants(&self) -> Result<Vec<MerchantRow>, StoreError> {
        let select = merchant::Entity::find().order_by_asc(merchant::Column::Id);
        let found = self.ask(|| select.clone().all(&self.read)).await?;
        found.into_iter().map(merchant::Model::row).collect()
    }

    async fn put_merchant(&self, row: &MerchantRow) -> Result<(), StoreError> {
        use merchant::Column;
        let same = |column: &Column| !matches!(column, Column::Id | Column::Revision);
        let grown = Expr::col((merchant::Entity, Column::Revision)).add(1);
        let replace = OnConflict::column(Column::Id)
            .update_columns(Column::iter().filter(same))
            .value(Column::Revision, grown)
            .to_owned();
        let model = merchant::Model::from(row).into_active_model();
        let insert = merchant::Entity::insert(model).on_conflict(replace);
        let done = insert.exec_without_returning(&self.write).await;
        done.map(drop).map_err(|error| store_error(&error))
    }

    async fn clients(&self) -> Result<Vec<ApiClient>, StoreError> {
        let select = client::Entity::find().order_by_asc(client::Column::Name);
        let found = self.ask(|| select.clone().all(&self.read)).await?;
        found.into_iter().map(client::Model::client).collect()
    }

    async fn put_client(&self, client: &ApiClient) -> Result<(), StoreError> {
        use client::Column;
        let ApiClient { login_id, name, password_hash, api_key_hash, mids, revoked } =
            client.clone();
        let mids = wire::mids_text(&mids);
        let model = client::Model { login_id, name, password_hash, api_key_hash, mids, revoked };
        let replace = OnConflict::column(Column::LoginId)
            .update_columns(Column::iter().filter(|column| !matches!(column, Column::LoginId)))
            .to_owned();
        let insert = client::Entity::insert(model.into_active_model()).on_conflict(replace);
        let done = insert.exec_without_returning(&self.write).await;
        done.map(drop).map_err(|error| store_error(&error))
    }
}
