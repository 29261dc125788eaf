// Checks each line of the NDJSON file argv[2] against the schema argv[3] with ajv, format checks on.
// Prints the number of valid documents. ajv and ajv-formats are looked for by NODE_PATH.
const fs = require("node:fs");
const readline = require("node:readline");
const Ajv = require("ajv");
const addFormats = require("ajv-formats");

const ajv = new Ajv({ strict: false });
addFormats(ajv);
const validate = ajv.compile(JSON.parse(fs.readFileSync(process.argv[3], "utf8")));

async function main() {
    let documents = 0;
    for await (const line of readline.createInterface({ input: fs.createReadStream(process.argv[2]) })) {
        if (validate(JSON.parse(line))) documents += 1;
    }
    console.log(JSON.stringify({ documents }));
}

main();
