/*
 * Reads a file with the importer of the npm package speedscope, without a browser, and prints what
 * came out as JSON: an array of {name, unit, total, stacks}, where stacks maps "root;child;leaf" to
 * its weight.
 *
 *     node speedscope_import.js node_modules/speedscope FILE
 *
 * The package ships only the bundle of its web page. In it the import functions keep their names in
 * a table of exports, which is handed out here before the page's own start fails for want of a page.
 */
'use strict';
const fs = require('fs');
const path = require('path');
const vm = require('vm');

const [directory, file] = process.argv.slice(2);
const release = path.join(directory, 'dist', 'release');
const bundle = fs.readdirSync(release).find(name => /^speedscope-.*\.js$/.test(name));
let source = fs.readFileSync(path.join(release, bundle), 'utf8');

const table = source.match(/([\w$]+)=\{\};[\w$]+\(\1,\{[^}]*importProfilesFromArrayBuffer:/);
const lazy = table && source.match(
	new RegExp('Promise\\.resolve\\(\\)\\.then\\(\\(\\)=>\\(([\\w$]+)\\(\\),' +
		table[1].replace(/\$/g, '\\$') + '\\)\\)'));
if (!lazy) {
	console.error(`${bundle}: its import functions were not found; has the package changed?`);
	process.exit(2);
}
source = source.replace(lazy[0], () =>
	`(globalThis.importFunctions=()=>(${lazy[1]}(),${table[1]}),${lazy[0]})`);

/* Answers anything that the page's start asks of a browser. */
const page = new Proxy(function () {}, {
	get: (target, name) => name === Symbol.toPrimitive ? () => '' : page,
	apply: () => page,
	construct: () => page,
	set: () => true,
	has: () => true,
});
const world = vm.createContext({
	console: { log() {}, warn: console.error, error: console.error, time() {}, timeEnd() {}, assert() {} },
	document: page, navigator: page, location: page, localStorage: page, fetch: page,
	requestAnimationFrame() {}, setTimeout, clearTimeout, performance,
	TextDecoder, TextEncoder, URL, URLSearchParams, Blob, atob, btoa,
});
world.window = world.self = world;
try {
	vm.runInContext(source, world, { filename: bundle });
} catch (error) {
	if (!world.importFunctions)
		throw error;
}

function stacks(profile) {
	const weights = {};
	const names = [];
	let last = 0;
	const since = at => {
		const key = names.join(';');

		if (at > last && names.length)
			weights[key] = (weights[key] || 0) + (at - last);
		last = at;
	};

	profile.forEachCall(
		(node, at) => { since(at); names.push(node.frame.name); },
		(node, at) => { since(at); names.pop(); });
	return weights;
}

const bytes = fs.readFileSync(file);
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
world.importFunctions().importProfilesFromArrayBuffer(path.basename(file), buffer).then(group => {
	if (!group) {
		console.error(`${file}: speedscope does not know this format`);
		process.exit(1);
	}
	console.log(JSON.stringify(group.profiles.map(profile => ({
		name: profile.getName(),
		unit: profile.getWeightUnit(),
		total: profile.getTotalWeight(),
		stacks: stacks(profile),
	})), null, 1));
}).catch(error => {
	console.error(`${file}: ${error.stack || error}`);
	process.exit(1);
});
