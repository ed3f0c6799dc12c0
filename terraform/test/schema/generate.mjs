// Writes the part of the AWS provider's schema that our modules use, as `terraform providers schema -json` would show it.
//   node generate.mjs PACKAGE-DIRECTORY < names.txt > aws.schema.json
// PACKAGE-DIRECTORY is the unpacked npm package @cdktn/provider-aws. Its bindings were generated from the whole schema of hashicorp/aws, and still
// say of each attribute what it is: this reads that back. See README.md.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = process.argv[2]
const names = readFileSync(0, 'utf8').split('\n').map(l => l.replace(/#.*/, '').trim()).filter(Boolean)
const pkg = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

const scalar = { string: 'string', number: 'number', boolean: 'bool', any: 'dynamic' }
const plain = { ...scalar,
  stringList: ['list', 'string'], numberList: ['list', 'number'], booleanList: ['list', 'bool'],
  stringMap: ['map', 'string'], numberMap: ['map', 'number'], booleanMap: ['map', 'bool'],
  stringListMap: ['map', ['list', 'string']], anyMap: ['map', 'dynamic'] }
const getter = { String: 'string', Number: 'number', Boolean: 'bool', List: ['list', 'string'], NumberList: ['list', 'number'],
  StringMap: ['map', 'string'], NumberMap: ['map', 'number'], BooleanMap: ['map', 'bool'] }
const mapClass = { StringMap: ['map', 'string'], NumberMap: ['map', 'number'], BooleanMap: ['map', 'bool'], AnyMap: ['map', 'dynamic'],
  StringListMap: ['map', ['list', 'string']] }

// classes cuts a file into its classes: name -> text.
function classes(text) {
  const out = {}
  for (const m of text.matchAll(/^class (\w+) extends cdktn\.(\w+) \{$([\s\S]*?)^\}$/gm)) out[m[1]] = { base: m[2], body: m[3] }
  return out
}

// hcl reads the map that writes an object as HCL: attribute -> how.
function hcl(text) {
  const out = {}
  for (const m of text.matchAll(/^ +(\w+): \{\n +value: (.*)\n +isBlock: (true|false),\n +type: "(\w+)",\n +storageClassType: "(\w+)",\n +\},$/gm)) {
    out[m[1]] = { writeOnly: m[2].includes('markWriteOnly'), isBlock: m[3] === 'true', type: m[4], storage: m[5] }
  }
  return out
}

// members lists what a class has: its name, its three flags, and what the getter returns.
function members(body) {
  const fields = {}
  for (const m of body.matchAll(/^ {4}(_\w+) = new (cdktn\.)?(\w+)\(this, "(\w+)"(?:, (true|false))?\);$/gm)) {
    fields[m[4]] = { class: m[3], builtin: Boolean(m[2]), set: m[5] === 'true' }
  }
  const out = []
  for (const m of body.matchAll(/^ {4}\/\/ (\w+) - computed: (true|false), optional: (true|false), required: (true|false)\n(?: {4}_.*\n)?(?: {4}\/\*\*\n(?: {4}\*.*\n)+)? {4}get \w+\(\) \{\n([\s\S]*?)^ {4}\}$/gm)) {
    const [, name, computed, optional, required, text] = m
    const call = text.match(/this\.get(\w+)Attribute\('/)
    out.push({ name, computed: computed === 'true', optional: optional === 'true', required: required === 'true',
      tolist: /Fn\.tolist/.test(text), call: call && call[1], field: fields[name] })
  }
  return out
}

// reading makes the blocks of one file.
function reading(file) {
  const text = readFileSync(join(root, 'lib', file, 'index.js'), 'utf8')
  const all = classes(text)

  const element = list => all[list] && all[list].base === 'ComplexList' || all[list]?.base === 'ComplexMap'
    ? list.replace(/(List|Map)$/, 'OutputReference') : list

  // The type of a computed object, which is no block.
  function objectType(name) {
    const attrs = {}
    for (const m of members(all[name].body)) attrs[m.name] = typeOf(m)
    return ['object', attrs]
  }
  function typeOf(m) {
    if (m.field) {
      if (m.field.builtin) return mapClass[m.field.class] ?? fail(`${m.name}: class ${m.field.class}`)
      if (all[m.field.class]?.base === 'ComplexMap') return ['map', objectType(element(m.field.class))]
      return [m.field.set ? 'set' : 'list', objectType(element(m.field.class))]
    }
    if (m.tolist) return ['set', m.call === 'NumberList' ? 'number' : 'string']
    if (m.call) return getter[m.call] ?? fail(`${m.name}: get${m.call}Attribute`)
    return 'string'
  }

  function block(className) {
    const c = all[className] ?? fail(`no class ${className} in ${file}`)
    // The resource writes its HCL in a method, a nested block in a function beside its class.
    const struct = className.replace(/OutputReference$/, '')
    const fn = `${struct[0].toLowerCase()}${struct.slice(1)}ToHclTerraform`
    const how = hcl(className.endsWith('OutputReference') ? section(text, new RegExp(`^function ${fn}\\(`, 'm')) : c.body)
    const out = { attributes: {}, block_types: {} }
    for (const m of members(c.body)) {
      const h = how[m.name]
      if (h?.isBlock) {
        // The single argument of a block's class says list or set; nested single blocks are lists of at most one.
        const single = h.type === 'struct'
        if (!m.field) { // the provider keeps plain values, and has no classes for its blocks
          out.block_types[m.name] = { nesting_mode: h.type, block: unclassed(h.storage.replace(/List$/, '')) }
          continue
        }
        const of = m.field
        const one = of.class.endsWith('OutputReference')
        out.block_types[m.name] = {
          nesting_mode: single ? 'single' : h.type === 'set' ? 'set' : 'list',
          block: block(element(of.class)),
          ...(m.required ? { min_items: 1 } : {}), ...(one && !single ? { max_items: 1 } : {}) }
        continue
      }
      const type = !h ? typeOf(m) : h.type === 'set' ? ['set', plain[h.storage][1]] : plain[h.storage] ?? fail(`${m.name}: ${h.storage}`)
      out.attributes[m.name] = { type, ...(m.required ? { required: true } : {}), ...(m.optional ? { optional: true } : {}),
        ...(m.computed ? { computed: true } : {}), ...(h?.writeOnly ? { write_only: true } : {}) }
    }
    for (const name of Object.keys(how)) {
      if (!out.attributes[name] && !out.block_types[name]) fail(`${className}.${name} was not understood`)
    }
    if (!Object.keys(out.attributes).length) delete out.attributes
    if (!Object.keys(out.block_types).length) delete out.block_types
    return out
  }
  // A block of the provider: its function tells the types, nothing tells the flags.
  function unclassed(struct) {
    const out = { attributes: {} }
    for (const [name, h] of Object.entries(hcl(section(text, new RegExp(`^function ${struct[0].toLowerCase()}${struct.slice(1)}ToHclTerraform\\(`, 'm'))))) {
      out.attributes[name] = { type: h.type === 'set' ? ['set', plain[h.storage][1]] : plain[h.storage] ?? fail(`${name}: ${h.storage}`), optional: true }
    }
    return out
  }
  const top = Object.keys(all).find(n => ['TerraformResource', 'TerraformDataSource', 'TerraformProvider'].includes(all[n].base))
  return block(top ?? fail(`${file} declares nothing`))
}

function section(text, start) {
  const at = text.search(start)
  if (at < 0) fail(`nothing matches ${start}`)
  return text.slice(at, text.indexOf('\n}\n', at))
}
function fail(why) { throw new Error(why) }

const dashed = name => name.replace(/^aws_/, '').replaceAll('_', '-')
const provider = readFileSync(join(root, 'lib/provider/index.d.ts'), 'utf8').match(/providers\/hashicorp\/aws\/([0-9.]+)\/docs/)[1]
const doc = {
  comment: `Part of the schema of hashicorp/aws ${provider}, taken from @cdktn/provider-aws ${pkg.version}. Copyright IBM Corp. 2021, 2026. `
    + 'SPDX-License-Identifier: MPL-2.0 (see LICENSE-MPL-2.0.txt). Generated, do not edit: see README.md.',
  provider_version: provider, provider: reading('provider'), resource_schemas: {}, data_source_schemas: {} }
for (const name of names) {
  const [kind, type] = name.includes('.') ? name.split('.') : ['resource', name]
  const data = kind === 'data'
  doc[data ? 'data_source_schemas' : 'resource_schemas'][type] = { version: 0, block: reading((data ? 'data-aws-' : '') + dashed(type)) }
}
console.log(JSON.stringify(doc, null, 1))
