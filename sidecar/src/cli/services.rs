//! `taskgate services`.

use clap::Args;
use hyper::Method;

use crate::api::services::{ListedService, ServiceList};
use crate::cli::client::Target;
use crate::cli::output;

#[derive(Debug, Args)]
pub(super) struct Services {
    #[command(flatten)]
    target: Target,
    /// print JSON
    #[arg(long)]
    json: bool,
}

impl Services {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let list: ServiceList = self.target.ask(&Method::GET, "/internal/services", Vec::new())?;
        if self.json {
            return output::line(&serde_json::to_string_pretty(&list)?);
        }
        output::text(&table(&list.services))
    }
}

fn table(services: &[ListedService]) -> String {
    let header = ["ID", "PROTOCOL", "ACCESS", "OWNER", "ENDPOINTS", "SERVICE", "LABELS"].map(ToOwned::to_owned);
    let rows: Vec<[String; 7]> = std::iter::once(header).chain(services.iter().map(row)).collect();
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn row(service: &ListedService) -> [String; 7] {
    let access = serde_json::to_value(service.access).ok();
    let access = access.as_ref().and_then(serde_json::Value::as_str).unwrap_or("?").to_owned();
    let endpoints: Vec<String> = service.endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect();
    let some = |list: Vec<String>| if list.is_empty() { "-".to_owned() } else { list.join(",") };
    [
        service.id.clone(),
        service.protocol.clone(),
        access,
        service.owner.clone().unwrap_or_else(|| "-".into()),
        some(endpoints),
        format!("{}/{}/{}", service.operation, service.task, service.services.join("|")),
        some(service.labels.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use taskgate_core::service::{AccessLevel, Endpoint};

    use super::*;

    #[test]
    fn columns_line_up() {
        let service = ListedService {
            id: "ae5cf6f5".into(),
            labels: vec!["greeter-web-ui".into()],
            provider: "file".into(),
            operation: "op".into(),
            task: "web".into(),
            services: vec!["ui".into(), "www".into()],
            protocol: "websocket".into(),
            endpoints: vec![Endpoint { address: ([127, 0, 0, 1], 27001).into(), weight: 1 }],
            access: AccessLevel::CanRead,
            owner: None,
            epoch: 7,
        };
        let expected = "\
ID        PROTOCOL   ACCESS    OWNER  ENDPOINTS        SERVICE        LABELS
ae5cf6f5  websocket  can_read  -      127.0.0.1:27001  op/web/ui|www  greeter-web-ui
";
        assert_eq!(table(&[service]), expected);
    }
}
