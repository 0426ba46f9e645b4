//! What the bundled sample server knows: a small customer ledger with personal data made up for showing redaction.
//!
//! Nobody in it exists. The numbers are well formed on purpose (card numbers pass the Luhn check, identity numbers
//! name a real province and a possible date), so that a detector which validates has something to find.

use serde_json::{Value, json};

/// One customer as the sample server answers it.
pub(super) struct Customer {
    id: &'static str,
    name: &'static str,
    email: &'static str,
    phone: &'static str,
    nik: &'static str,
    card_number: &'static str,
}

const CUSTOMERS: [Customer; 3] = [
    Customer {
        id: "CUST-001",
        name: "Siti Rahma",
        email: "siti.rahma@example.com",
        phone: "+62 812-3456-7890",
        nik: "3174014501900002",
        card_number: "4111 1111 1111 1111",
    },
    Customer {
        id: "CUST-002",
        name: "Budi Santoso",
        email: "budi.santoso@example.com",
        phone: "0813-9876-5432",
        nik: "3174012501990001",
        card_number: "5555 5555 5555 4444",
    },
    Customer {
        id: "CUST-003",
        name: "Ana Wijaya",
        email: "ana.wijaya@example.com",
        phone: "+62 811-2233-4455",
        nik: "3273026708850003",
        card_number: "4012 8888 8888 1881",
    },
];

impl Customer {
    /// The first customer whose id, name or e-mail contains `wanted`, whatever the case.
    pub(super) fn find(wanted: &str) -> Option<&'static Self> {
        let wanted = wanted.to_lowercase();
        CUSTOMERS.iter().find(|customer| {
            [customer.id, customer.name, customer.email]
                .iter()
                .any(|field| field.to_lowercase().contains(&wanted))
        })
    }

    /// The record in the shape that `find_customer` advertises as its output schema.
    pub(super) fn record(&self) -> Value {
        json!({
            "customer_id": self.id, "name": self.name, "email": self.email,
            "phone": self.phone, "nik": self.nik, "card_number": self.card_number,
        })
    }

    /// The values that must not reach a model.
    pub(super) fn personal_values(&self) -> [&'static str; 4] {
        [self.email, self.phone, self.nik, self.card_number]
    }
}

/// The orders of every customer; the same list whoever asks, as the sample is about governing, not about orders.
pub(super) fn orders(customer_id: &str) -> Value {
    json!({"customer_id": customer_id, "orders": [
        {"order": "ORD-2041", "item": "coffee grinder", "total_idr": 1_250_000, "state": "shipped"},
        {"order": "ORD-2077", "item": "filter papers", "total_idr": 85_000, "state": "open"},
    ]})
}

/// The tools as `tools/list` shows them.
pub(super) fn tools() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let customer_id = text("Customer number, for example CUST-001");
    json!([
        {
            "name": "find_customer",
            "description": "Finds one customer by number, name or e-mail and returns the whole record",
            "inputSchema": object(json!({"query": text("Number, name or e-mail")})),
            "outputSchema": object(json!({
                "customer_id": {"type": "string"}, "name": {"type": "string"},
                "email": {"type": "string", "format": "email"}, "phone": {"type": "string"},
                "nik": {"type": "string", "pattern": "^[0-9]{16}$"},
                "card_number": {"type": "string", "maxLength": 19},
            })),
            "annotations": {"readOnlyHint": true},
        },
        {
            "name": "list_orders",
            "description": "Lists the orders of one customer",
            "inputSchema": object(json!({"customer_id": customer_id})),
            "annotations": {"readOnlyHint": true},
        },
        {
            "name": "add_note",
            "description": "Writes a note into a customer's file; running it twice writes two notes",
            "inputSchema": object(json!({"customer_id": customer_id, "text": text("The note")})),
            "annotations": {"readOnlyHint": false, "destructiveHint": false, "idempotentHint": false},
        },
        {
            "name": "run_report",
            "description": "Builds the monthly report, which takes some time; other calls pass it meanwhile",
            "inputSchema": object(json!({"seconds": {"type": "number", "minimum": 0, "maximum": 60}})),
            "annotations": {"readOnlyHint": false, "destructiveHint": false},
        },
        {
            "name": "run_sql",
            "description": "Pretends to run a statement on the ledger's database and returns rows",
            "inputSchema": object(json!({"sql": text("One SQL statement")})),
        },
        {
            "name": "crash",
            "description": "Ends this server in the middle of the call, to show what becomes of the session",
            "inputSchema": {"type": "object", "properties": {}},
        },
    ])
}

/// A JSON schema of an object whose properties are all required.
fn object(properties: Value) -> Value {
    let required: Vec<String> =
        properties.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default();
    json!({"type": "object", "properties": properties, "required": required})
}
