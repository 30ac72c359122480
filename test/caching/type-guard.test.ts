import { describe, expect, it } from 'vitest'
import { beginsPage, namesArchive, saysPage } from '../../src/caching/type-guard.js'

describe('U4: a path that names an archive', () => {
  it.each([
    ['buildpacks/heroku/jvm.tgz', true],
    ['jdk/zulu-1.8.tar.gz', true],
    ['a/JDK.TAR.XZ', true],
    ['agent-4.0.3.jar', true],
    ['pool/x_1.0_amd64.deb', true],
    ['composer.phar', true],
    ['jvm.tgz/info/refs', false],
    ['jvm.tgz.sha256', false],
    ['stdlib.sh', false],
    ['a.pom', false],
    ['tgz', false],
    ['', false],
  ])('%s: %s', (path, names) => {
    expect(namesArchive(path)).toBe(names)
  })
})

describe('U4: a body that begins as a page does', () => {
  it.each<[name: string, bytes: string | Buffer, isPage: boolean | undefined]>([
    ['HTML', '<!DOCTYPE html><html>', true],
    ['HTML without doctype', '<html lang="en">', true],
    ['a bare tag', '<HTML>\n<head>', true],
    ['S3’s error', '<?xml version="1.0" encoding="UTF-8"?>\n<Error>', true],
    ['S3’s error without prolog', '<Error><Code>', true],
    ['after blanks', '\r\n\t   <!doctype html>', true],
    ['after a byte order mark', Buffer.from('\ufeff<html><body>'), true],
    ['a comment', '<!-- saved from url -->', true],
    ['gzip', Buffer.from([0x1f, 0x8b, 8, 0]), false],
    ['zip', 'PK\u0003\u0004', false],
    ['a phar', '<?php\n__HALT_COMPILER', false],
    ['a tar whose first file has an odd name', '<htmlish>/a.txt', false],
    ['text', 'not found: nothing here', false],
    ['a thousand blanks', ' '.repeat(1024), false],
    ['nothing yet', '', undefined],
    ['blanks so far', '  \n', undefined],
    ['half a doctype', '<!doc', undefined],
    ['a tag that may go on', '<html', undefined],
    ['half a byte order mark', Buffer.from([0xef, 0xbb]), undefined],
  ])('%s: %s', (_, bytes, isPage) => {
    expect(beginsPage(Buffer.from(bytes), false)).toBe(isPage)
  })

  it.each([
    ['<html>', true],
    ['<html', true],
    ['<!doc', false],
    ['', false],
  ])('%j is all of it: %s', (bytes, isPage) => {
    expect(beginsPage(Buffer.from(bytes), true)).toBe(isPage)
  })
})

it.each([
  ['text/html', true],
  ['Text/HTML; charset=utf-8', true],
  ['application/xhtml+xml', true],
  ['text/html-ish', false],
  ['application/gzip', false],
  [undefined, false],
])('U4: Content-Type %s says a page: %s', (type, says) => {
  expect(saysPage(type === undefined ? [] : ['Content-Type', type])).toBe(says)
})
