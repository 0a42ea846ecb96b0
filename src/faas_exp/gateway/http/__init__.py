"""HTTP/1.1 of the gateway: parsing is httptools' (llhttp), the rest is asyncio protocols without a task per request."""
