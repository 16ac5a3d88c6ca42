// Serves the files of one directory on $PORT: node serve.mjs DIRECTORY.
// Made by the buildpack slipway/nodejs. Needs no package.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';

const root = realpathSync(process.argv[2]);
const port = process.env.PORT ?? '8080';
if (!/^[0-9]{1,5}$/.test(port)) {
    console.error(`PORT is '${port}'; it must be a number`);
    process.exit(64);
}

const types = {
    '.avif': 'image/avif', '.css': 'text/css; charset=utf-8', '.csv': 'text/csv; charset=utf-8',
    '.gif': 'image/gif', '.htm': 'text/html; charset=utf-8', '.html': 'text/html; charset=utf-8',
    '.ico': 'image/x-icon', '.jpeg': 'image/jpeg', '.jpg': 'image/jpeg',
    '.js': 'text/javascript; charset=utf-8', '.json': 'application/json',
    '.map': 'application/json', '.md': 'text/markdown; charset=utf-8',
    '.mjs': 'text/javascript; charset=utf-8', '.mp3': 'audio/mpeg', '.mp4': 'video/mp4',
    '.pdf': 'application/pdf', '.png': 'image/png', '.svg': 'image/svg+xml', '.ttf': 'font/ttf',
    '.txt': 'text/plain; charset=utf-8', '.wasm': 'application/wasm',
    '.webmanifest': 'application/manifest+json', '.webm': 'video/webm', '.webp': 'image/webp',
    '.woff': 'font/woff', '.woff2': 'font/woff2', '.xml': 'application/xml',
};

// The file for a path of the site, or nothing: no dot files, and no link that leads outside.
function findFile(name) {
    if (/(^|\/)\.(?!well-known\/)/.test(name) || name.includes('\0')) return undefined;
    try {
        let file = realpathSync(path.join(root, name));
        if (statSync(file).isDirectory()) file = realpathSync(path.join(file, 'index.html'));
        const inside = file.startsWith(root + path.sep);
        return inside && statSync(file).isFile() ? file : undefined;
    } catch {
        return undefined;
    }
}

// Times of files are the same in every image, so only their content tells them apart.
const tags = new Map();
function tagOf(file) {
    if (!tags.has(file)) {
        tags.set(file, `"${createHash('sha256').update(readFileSync(file)).digest('base64url')}"`);
    }
    return tags.get(file);
}

// What a request gets: [status, file]. A path without a file and without an extension is one of
// the pages that the site's own script shows, unless the site has a page for what is missing.
function choose(name) {
    const file = findFile(name);
    if (file) return [200, file];
    if (existsSync(path.join(root, '404.html'))) return [404, findFile('/404.html')];
    if (!path.extname(name)) return [200, findFile('/index.html')];
    return [404, undefined];
}

function answer(request, response) {
    if (!['GET', 'HEAD'].includes(request.method)) {
        return response.writeHead(405, { allow: 'GET, HEAD' }).end();
    }
    let name;
    try {
        name = path.posix.normalize(decodeURIComponent(request.url.split(/[?#]/)[0]));
    } catch {
        return response.writeHead(400).end();
    }
    const [status, file] = name.startsWith('/') ? choose(name) : [400, undefined];
    if (!file) return response.writeHead(status, { 'content-type': 'text/plain' }).end('Not found\n');
    const headers = {
        'content-type': types[path.extname(file).toLowerCase()] ?? 'application/octet-stream',
        'x-content-type-options': 'nosniff',
        etag: tagOf(file),
        // Vite puts a hash of the content into the names below assets/.
        'cache-control': path.relative(root, file).startsWith('assets' + path.sep)
            ? 'public, max-age=31536000, immutable' : 'no-cache',
    };
    if (status === 200 && request.headers['if-none-match'] === headers.etag) {
        return response.writeHead(304, headers).end();
    }
    response.writeHead(status, { ...headers, 'content-length': statSync(file).size });
    if (request.method === 'HEAD') return response.end();
    createReadStream(file).on('error', () => response.destroy()).pipe(response);
}

const server = createServer((request, response) => {
    response.on('finish', () => console.log(request.method, request.url, response.statusCode));
    answer(request, response);
});
server.listen(Number(port), '0.0.0.0', () => console.log(`serving ${root} on port ${port}`));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
